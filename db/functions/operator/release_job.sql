-- Ends the lease and writes an event, because an operator did it.
-- Locks: job, deletion, artifact, provider request.
-- Calls: clock, lock_job, move_job_or_raise, receipt_of, resolve_step.
create or replace function upload_pipeline.release_job(job_id uuid, reason text default null)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(job_id);
  v_event upload_pipeline.events;
begin
  if v_job.lease_token is null then
    return upload_pipeline.receipt_of('ignored', v_job);
  end if;

  v_job.run_after := upload_pipeline.clock();
  v_event := upload_pipeline.move_job_or_raise(
    job => v_job,
    step => upload_pipeline.resolve_step(v_job.status, 'job_released'),
    payload => jsonb_build_object('leased_by', v_job.leased_by, 'reason', reason, 'by', session_user)
  );

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.release_job(uuid, text) is
  'Ends the lease of a worker that is known to be dead, before it expires. If the worker is alive after all, it '
  'learns so by UP003. Outcomes: applied, ignored (the job has no lease). Raises UP001, UP002.';

revoke all on function upload_pipeline.release_job(uuid, text) from public;
grant execute on function upload_pipeline.release_job(uuid, text) to hookline_operator;
