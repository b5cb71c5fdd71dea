-- Moves the job: to the same status for another try, back for another attempt, or to its failure. The row of its
-- status decides which. If the job waits for the provider, what runs there for an attempt that is over is cancelled: by
-- the step if another attempt begins, and here if start_over finds that none is left.
-- Locks: job, deletion, artifact, provider request.
-- Calls: backoff, check_error_argument, clock, content_is_waiting, lock_leased_job, move_job_or_raise,
-- queue_requests_of_jobs, receipt_of, resolve_step, retry_or_fail.
create or replace function upload_pipeline.fail_job(
  job_id uuid,
  lease_token uuid,
  error jsonb,
  permanent boolean default false,
  start_over boolean default false
)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(job_id, lease_token);
  v_error jsonb := upload_pipeline.check_error_argument(error);
  v_back_to text;
  v_event upload_pipeline.events;
begin
  -- Begin no other attempt while content of this one waits for storage: it is paid for, and the drain will finish it.
  if start_over and permanent is not true
    and not upload_pipeline.content_is_waiting(v_job.job_id, v_job.attempt)
  then
    select t.to_status into v_back_to
      from upload_pipeline.transitions as t
     where t.from_status = v_job.status
       and t.to_status <> t.from_status
       and t.event_type = 'retry'
       and t.enabled;
  end if;

  if v_back_to is not null and v_job.attempt < v_job.max_attempts then
    v_job.run_after := upload_pipeline.clock() + (
      select upload_pipeline.backoff(v_job.attempt - 1, s.retry_base, s.retry_cap)
        from upload_pipeline.statuses as s
       where s.status = v_job.status
    );
    v_job.attempt := v_job.attempt + 1;
    v_job.last_error := v_error;
    v_event := upload_pipeline.move_job_or_raise(
      job => v_job,
      step => upload_pipeline.resolve_step(v_job.status, 'parse_restarted', v_back_to),
      payload => v_error || jsonb_build_object(
        'leased_by', v_job.leased_by, 'attempt', v_job.attempt, 'run_after', v_job.run_after
      )
    );
  else
    v_event := upload_pipeline.retry_or_fail(
      job => v_job,
      code => 'stage_retried',
      error => v_error,
      permanent => coalesce(permanent, false) or v_back_to is not null
    );
    if start_over and not (v_job.claimable or v_job.has_content) then
      perform upload_pipeline.queue_requests_of_jobs('cancel', array[v_job.job_id], v_job.attempt);
    end if;
  end if;

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.fail_job(uuid, uuid, jsonb, boolean, boolean) is
  'Ends a try that failed. error, {"code": text, "error": text, ...}, becomes last_error. The job is tried again '
  'after a pause that doubles each time, until statuses.max_tries tries have failed since it came to its status. '
  'Then, or at once if permanent is true, the event statuses.failure_code ends it. start_over sends it back along '
  'its retry transition for another attempt instead, up to max_attempts, and not while its content waits here for '
  'storage. Where the table fallbacks has a next provider, a failure for good begins another attempt there. Outcome: '
  'applied; status tells which it was. Raises UP001, UP002 (the status lacks a transition), UP003, UP006; 55P03 after '
  'waiting 2 s for a lock.';

revoke all on function upload_pipeline.fail_job(uuid, uuid, jsonb, boolean, boolean) from public;
grant execute on function upload_pipeline.fail_job(uuid, uuid, jsonb, boolean, boolean) to hookline_worker;
