-- Inserts the event and moves the job. This is the only place where a job moves. The caller has locked the job and
-- passes the row with the columns it wants changed (attempt, max_attempts, run_after, parsed_*, last_error). The
-- event goes in first, because a trigger on upload_jobs looks for it. Every step ends the lease: its holder is
-- refused with UP003 from then on.
-- Locks: job. Calls: clock, end_lease.
create or replace function upload_pipeline.write_step(
  job upload_pipeline.upload_jobs,
  step upload_pipeline.step,
  payload jsonb,
  correlation_id text
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := greatest(upload_pipeline.clock(), job.updated_at);
  v_stays boolean := step.status = job.status;
  v_event upload_pipeline.events;
begin
  job.claimable := step.claimable;
  job.terminal := step.terminal;
  if not v_stays then
    job.deadline_at := v_now + step.overdue_after;
    job.run_after := case when step.event_type = 'retry' then job.run_after else v_now end;
  end if;
  -- A retry, and a lease that ends in place, leave the job to any worker. A job that waits without a lease, and a job
  -- that came to another status, have the deadline of the status.
  if step.event_type = 'retry' or v_stays and job.lease_token is not null then
    job := upload_pipeline.end_lease(job);
  end if;

  insert into upload_pipeline.events (
    job_id, version, document_id, from_status, to_status, type, severity, code, payload, correlation_id, ts
  ) values (
    job.job_id, job.version + 1, job.document_id, job.status, step.status, step.event_type, step.severity, step.code,
    write_step.payload, coalesce(write_step.correlation_id, job.correlation_id), v_now
  )
  returning * into v_event;

  update upload_pipeline.upload_jobs as j
     set status = step.status,
         terminal = step.terminal,
         failed = step.failed,
         claimable = step.claimable,
         has_content = step.has_content,
         version = v_event.version,
         attempt = job.attempt,
         max_attempts = job.max_attempts,
         run_after = job.run_after,
         deadline_at = job.deadline_at,
         lease_token = null,
         leased_by = null,
         leased_until = null,
         parsed_path = job.parsed_path,
         parsed_sha256 = job.parsed_sha256,
         parsed_bytes = job.parsed_bytes,
         -- A failed job says why, even if the code that led there is not an error.
         last_error = case
           when step.failed then coalesce(job.last_error, write_step.payload || jsonb_build_object('code', step.code))
           else job.last_error
         end,
         updated_at = v_now
   where j.job_id = job.job_id;

  return v_event;
end;
$$;

comment on function upload_pipeline.write_step(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text) is
  'Writes the event of a step and moves the locked job along it. Raises 23505 if the step leaves a finished status '
  'while the document has another unfinished job; move_job answers that with null.';

revoke all on function upload_pipeline.write_step(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text)
  from public;
