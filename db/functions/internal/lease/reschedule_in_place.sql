-- Moves the job from its status to the same status. The step ends the lease, and run_after counts in every status
-- (see end_lease).
-- Locks: job, deletion, artifact, provider request. Calls: move_job_or_raise, resolve_step.
create or replace function upload_pipeline.reschedule_in_place(
  job upload_pipeline.upload_jobs,
  code text,
  error jsonb,
  run_after timestamptz
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  job.run_after := reschedule_in_place.run_after;
  job.last_error := reschedule_in_place.error;

  return upload_pipeline.move_job_or_raise(
    job => job,
    step => upload_pipeline.resolve_step(job.status, reschedule_in_place.code),
    payload => reschedule_in_place.error || jsonb_build_object(
      'leased_by', job.leased_by, 'run_after', reschedule_in_place.run_after
    )
  );
end;
$$;

comment on function upload_pipeline.reschedule_in_place(upload_pipeline.upload_jobs, text, jsonb, timestamptz) is
  'Ends the lease of a locked job. The job keeps its status and is not claimed again before run_after. Raises '
  'UP002.';

revoke all on function upload_pipeline.reschedule_in_place(upload_pipeline.upload_jobs, text, jsonb, timestamptz)
  from public;
