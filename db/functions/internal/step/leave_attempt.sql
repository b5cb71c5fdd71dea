-- Ends what belongs to the attempt that a step leaves, if the step begins another one. The artifacts are dropped,
-- unless the job keeps the content that they came with. What may still run at the provider is cancelled there, because
-- its answer would be stale. A failure without a lease is the provider's own report: then it has ended.
-- Locks: deletion, artifact, provider request. Calls: drop_artifacts, queue_requests_of_jobs.
create or replace function upload_pipeline.leave_attempt(move upload_pipeline.move)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs := move.job;
  v_attempt integer := (
    select j.attempt from upload_pipeline.upload_jobs as j where j.job_id = v_job.job_id and j.attempt < v_job.attempt
  );
begin
  if v_attempt is null then
    return;
  end if;

  if not (move.step).has_content then
    perform upload_pipeline.drop_artifacts(v_job.job_id);
  end if;

  if not (v_job.terminal or v_job.claimable or v_job.has_content)
    and ((move.step).code <> 'fell_back' or v_job.lease_token is not null)
  then
    perform upload_pipeline.queue_requests_of_jobs('cancel', array[v_job.job_id], v_attempt);
  end if;
end;
$$;

comment on function upload_pipeline.leave_attempt(upload_pipeline.move) is
  'Drops the artifacts of the attempt that the step of a locked job leaves, and has its provider cancel what may run '
  'there. Does nothing if the step stays in its attempt.';

revoke all on function upload_pipeline.leave_attempt(upload_pipeline.move) from public;
