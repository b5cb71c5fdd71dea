-- Changes nothing. An unknown provider job is taken for one of the current attempt, because its callback may come
-- before our own bookkeeping.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.answer_is_stale(
  job upload_pipeline.upload_jobs,
  attempt integer,
  parse_job_id text
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    coalesce(
      answer_is_stale.attempt,
      (
        select max(p.attempt)
          from upload_pipeline.provider_jobs as p
         where p.parse_job_id = answer_is_stale.parse_job_id
           and p.job_id = job.job_id
      )
    ) < job.attempt,
    false
  );
end;
$$;

comment on function upload_pipeline.answer_is_stale(upload_pipeline.upload_jobs, integer, text) is
  'True if content belongs to an attempt that is over. attempt decides if it is given, else the attempt of the '
  'provider job. report_step has the same rule for reports.';

revoke all on function upload_pipeline.answer_is_stale(upload_pipeline.upload_jobs, integer, text) from public;
