-- Moves the job to cancelled, and queues the cancellation of what runs at the provider.
-- Locks: job, deletion, artifact, provider request.
-- Calls: lock_job, move_job_or_raise, queue_requests_of_jobs, receipt_of, resolve_step.
create or replace function upload_pipeline.cancel_job(job_id uuid, reason text default null)
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
  v_event upload_pipeline.events := upload_pipeline.move_job_or_raise(
    job => v_job,
    step => upload_pipeline.resolve_step(v_job.status, 'job_cancelled'),
    payload => jsonb_build_object('reason', reason, 'by', session_user)
  );
begin
  -- With content, the provider has ended.
  if not v_job.has_content then
    perform upload_pipeline.queue_requests_of_jobs('cancel', array[v_job.job_id]);
  end if;

  -- Only a hint: idle workers would find the notification at their next poll.
  perform pg_notify('hookline', v_event.to_status);

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.cancel_job(uuid, text) is
  'Ends a job that is not complete. A worker that holds it learns so by UP003. What runs at the provider is '
  'cancelled there as well (provider_request_log). Outcome: applied. Raises UP001, UP002.';

revoke all on function upload_pipeline.cancel_job(uuid, text) from public;
grant execute on function upload_pipeline.cancel_job(uuid, text) to hookline_operator;
