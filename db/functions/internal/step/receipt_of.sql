-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.receipt_of(
  outcome text,
  job upload_pipeline.upload_jobs,
  event upload_pipeline.events default null,
  ordinal integer default null,
  path text default null
)
returns upload_pipeline.receipt
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select row(
    outcome,
    job.job_id,
    job.document_id,
    coalesce(event.to_status, job.status),
    coalesce(event.version, job.version),
    event.event_id,
    ordinal,
    path
  )::upload_pipeline.receipt;
$$;

comment on function upload_pipeline.receipt_of(
  text, upload_pipeline.upload_jobs, upload_pipeline.events, integer, text
) is
  'The receipt for a job: its row as it was locked, and the event that has moved it since, if any.';

revoke all on function upload_pipeline.receipt_of(
  text, upload_pipeline.upload_jobs, upload_pipeline.events, integer, text
) from public;
