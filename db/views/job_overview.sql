create or replace view upload_pipeline.job_overview as
select j.job_id,
       j.document_id,
       d.owner_id,
       d.filename,
       j.status,
       j.version,
       j.attempt,
       j.max_attempts,
       j.upload_confirmed,
       j.terminal,
       j.failed,
       j.deadline_at < clock.now as overdue,
       j.run_after,
       j.deadline_at,
       j.leased_by,
       j.leased_until,
       j.correlation_id,
       j.parsed_path,
       j.parsed_sha256,
       j.parsed_bytes,
       j.last_error,
       j.created_at,
       j.updated_at
  from upload_pipeline.upload_jobs as j
  join upload_pipeline.documents as d on d.document_id = j.document_id
  -- The clock is not called in the select list. A volatile column there would make Postgres compute the whole view,
  -- even if a query reads only a few rows.
  cross join (select upload_pipeline.clock() as now) as clock;

comment on view upload_pipeline.job_overview is
  'One row for each job, with its document: its status, since when, and its last error.';

revoke all on upload_pipeline.job_overview from public;
grant select on upload_pipeline.job_overview to hookline_reader;
