-- The one place where a job moves. The caller has locked the job and passes it with the columns it wants
-- changed (attempt, run_after, parsed_*, last_error); the event goes in first, then the row follows it.
-- Any step ends a lease: its holder learns so by UP003.
create or replace function upload_pipeline.write_step(
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
declare
  v_now timestamptz := greatest(upload_pipeline.clock(), job.updated_at);
  v_step record;
  v_event upload_pipeline.events;
begin
  select s.* into v_step
    from upload_pipeline.resolve_step(job.status, write_step.code, write_step.to_status) as s;
  if not found then
    return null;
  end if;

  insert into upload_pipeline.events (
    job_id, version, document_id, from_status, to_status, type, severity, code, payload, correlation_id, ts
  ) values (
    job.job_id, job.version + 1, job.document_id, job.status, v_step.status, v_step.event_type,
    v_step.severity, write_step.code, write_step.payload,
    coalesce(write_step.correlation_id, job.correlation_id), v_now
  )
  returning * into v_event;

  update upload_pipeline.upload_jobs as j
     set status = v_step.status,
         terminal = v_step.terminal,
         failed = v_step.failed,
         claimable = v_step.claimable,
         has_content = v_step.has_content,
         version = v_event.version,
         attempt = job.attempt,
         max_attempts = job.max_attempts,
         run_after = case when v_step.status = job.status or v_step.event_type = 'retry' then job.run_after else v_now end,
         deadline_at = case when v_step.status = job.status then job.deadline_at else v_now + v_step.overdue_after end,
         lease_token = null,
         leased_by = null,
         leased_until = null,
         parsed_path = job.parsed_path,
         parsed_sha256 = job.parsed_sha256,
         parsed_bytes = job.parsed_bytes,
         last_error = job.last_error,
         updated_at = v_now
   where j.job_id = job.job_id;

  return v_event;
end;
$$;

comment on function upload_pipeline.write_step(upload_pipeline.upload_jobs, text, jsonb, text, text) is
  'Moves a locked job and writes the event; null, and nothing done, where the machine has no such step. '
  'Raises 23505 where the document has another unfinished job.';

revoke all on function upload_pipeline.write_step(upload_pipeline.upload_jobs, text, jsonb, text, text)
  from public;
