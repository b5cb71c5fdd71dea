-- Moves the job, if the step is legal. A step out of a finished status (a late success, a retry) may meet a newer
-- unfinished job of the same document. The unique index decides, even between two transactions at the same time. Only
-- such a step needs a subtransaction.
-- Locks: job, deletion, artifact, provider request. Calls: write_step.
create or replace function upload_pipeline.move_job(
  job upload_pipeline.upload_jobs,
  step upload_pipeline.step,
  payload jsonb,
  correlation_id text default null
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Only a job with content goes to a status with content, whichever function moves it.
  if step.status is null or step.has_content and job.parsed_path is null then
    return null;
  end if;

  if not job.terminal then
    return upload_pipeline.write_step(job, step, payload, correlation_id);
  end if;

  begin
    return upload_pipeline.write_step(job, step, payload, correlation_id);
  exception
    when unique_violation then
      return null;
  end;
end;
$$;

comment on function upload_pipeline.move_job(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text) is
  'Moves a locked job along a step of resolve_step and answers its event. Answers null and changes nothing if the '
  'machine has no such step, if the step needs content that the job does not have, or if the document has a newer '
  'unfinished job.';

revoke all on function upload_pipeline.move_job(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb, text)
  from public;
