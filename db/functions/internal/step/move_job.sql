-- A step out of a finished status (a late success, a retry) may meet a newer job of the same document.
-- The unique index has the word; only such a step pays for the subtransaction.
create or replace function upload_pipeline.move_job(
  job upload_pipeline.upload_jobs,
  code text,
  payload jsonb,
  correlation_id text default null,
  to_status text default null
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not job.terminal then
    return upload_pipeline.write_step(job, code, payload, correlation_id, to_status);
  end if;

  begin
    return upload_pipeline.write_step(job, code, payload, correlation_id, to_status);
  exception
    when unique_violation then
      return null;
  end;
end;
$$;

comment on function upload_pipeline.move_job(upload_pipeline.upload_jobs, text, jsonb, text, text) is
  'write_step, where a refusal is an answer: null, and nothing done, if the machine has no such step or the '
  'document has a newer unfinished job.';

revoke all on function upload_pipeline.move_job(upload_pipeline.upload_jobs, text, jsonb, text, text)
  from public;
