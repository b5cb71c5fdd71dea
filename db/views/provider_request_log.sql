create or replace view upload_pipeline.provider_request_log as
select r.provider,
       r.parse_job_id,
       r.kind,
       p.job_id,
       case
         when r.done_at is not null then 'done'
         when r.run_after is not null then 'waiting'
         else 'refused'
       end as state,
       r.result,
       r.tries,
       r.last_error,
       r.requested_at,
       r.run_after,
       r.done_at
  from upload_pipeline.provider_requests as r
  left join upload_pipeline.provider_jobs as p on p.parse_job_id = r.parse_job_id and p.provider = r.provider;

comment on view upload_pipeline.provider_request_log is
  'One row for each request to a provider to cancel or delete a provider job. state is waiting, refused (it waits for '
  'a person) or done; result says how. job_id is null once the job is erased or purged.';

revoke all on upload_pipeline.provider_request_log from public;
grant select on upload_pipeline.provider_request_log to hookline_reader;
