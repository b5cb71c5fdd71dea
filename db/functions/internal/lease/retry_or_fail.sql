-- A failed try, whoever tells of it: the worker itself, or the sweep that finds its lease expired. Three expired leases
-- weigh as one try: a worker that dies takes many innocent jobs with it, but a document that kills its worker must not
-- kill one after the other for ever.
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
  'Another try after a pause, by event `code`, or, when all are spent or it is permanent, the end that statuses.failure_code '
  'names. Raises UP002.';

revoke all on function upload_pipeline.retry_or_fail(upload_pipeline.upload_jobs, text, jsonb, boolean) from public;
