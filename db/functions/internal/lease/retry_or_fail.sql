-- Moves the job: to the same status for another try, or to its failure. A worker reports the failed try, or
-- sweep_leases finds an expired lease. Three expired leases count as one failed try, because a worker that dies takes
-- many innocent jobs with it. They do count, because a document may kill every worker that takes it.
-- Locks: job, deletion, artifact, provider request.
-- Calls: backoff, clock, move_job_or_raise, reschedule_in_place, resolve_step, tries_since_arrival.
create or replace function upload_pipeline.retry_or_fail(
  job upload_pipeline.upload_jobs,
  code text,
  error jsonb,
  permanent boolean
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_failed integer := upload_pipeline.tries_since_arrival(job, array['stage_retried'])
    + (retry_or_fail.code = 'stage_retried')::integer;
  v_expired integer := upload_pipeline.tries_since_arrival(job, array['lease_expired'])
    + (retry_or_fail.code = 'lease_expired')::integer;
  v_tries integer := v_failed + v_expired / 3;
  v_stage record;
begin
  select s.retry_base, s.retry_cap, s.max_tries, s.failure_code into v_stage
    from upload_pipeline.statuses as s
   where s.status = job.status;

  if v_stage.failure_code is null or not retry_or_fail.permanent and v_tries < v_stage.max_tries then
    return upload_pipeline.reschedule_in_place(
      job, retry_or_fail.code, retry_or_fail.error,
      upload_pipeline.clock() + upload_pipeline.backoff(v_failed + v_expired - 1, v_stage.retry_base, v_stage.retry_cap)
    );
  end if;

  job.last_error := retry_or_fail.error;

  return upload_pipeline.move_job_or_raise(
    job => job,
    step => upload_pipeline.resolve_step(job.status, v_stage.failure_code),
    payload => retry_or_fail.error || jsonb_build_object('leased_by', job.leased_by, 'tries', v_tries)
  );
end;
$$;

comment on function upload_pipeline.retry_or_fail(upload_pipeline.upload_jobs, text, jsonb, boolean) is
  'Ends a failed try. The job keeps its status and is tried again after a pause, with an event of this code. If '
  'its tries are used up, or the failure is permanent, the event statuses.failure_code ends the job. Raises UP002.';

revoke all on function upload_pipeline.retry_or_fail(upload_pipeline.upload_jobs, text, jsonb, boolean) from public;
