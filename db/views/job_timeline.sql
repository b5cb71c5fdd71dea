create or replace view upload_pipeline.job_timeline as
select e.job_id,
       e.version,
       e.ts,
       e.ts - lag(e.ts) over (partition by e.job_id order by e.version) as after_the_last,
       e.from_status,
       e.to_status,
       e.type,
       e.severity,
       e.code,
       e.payload,
       e.correlation_id,
       e.event_id,
       e.document_id
  from upload_pipeline.events as e;

comment on view upload_pipeline.job_timeline is
  'One row for each event: what happened to a job, in order of version.';

revoke all on upload_pipeline.job_timeline from public;
grant select on upload_pipeline.job_timeline to hookline_reader;
