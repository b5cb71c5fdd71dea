-- Moves one job. The caller has locked it and passes its row with the columns it wants changed (attempt, max_attempts,
-- run_after, parsed_*, last_error).
-- Locks: job, deletion, artifact, provider request. Calls: write_steps.
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
  v_event upload_pipeline.events;
begin
  select e.* into v_event
    from upload_pipeline.write_steps(
      array[row(job, step, payload, correlation_id, null, null)::upload_pipeline.move]
    ) as e;

  return v_event;
end;
$$;

comment on function upload_pipeline.write_step(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text) is
  'Writes the event of a step and moves the locked job along it. Raises 23505 if the step leaves a finished status '
  'while the document has another unfinished job; move_job answers that with null.';

revoke all on function upload_pipeline.write_step(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text)
  from public;
