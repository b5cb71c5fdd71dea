-- Ends the lease. No event is written, because nothing was done.
-- Locks: job. Calls: end_lease, lock_leased_job.
create or replace function upload_pipeline.release_lease(job_id uuid, lease_token uuid)
returns void
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
  v_job upload_pipeline.upload_jobs := upload_pipeline.end_lease(
    upload_pipeline.lock_leased_job(job_id, lease_token)
  );
begin
  update upload_pipeline.upload_jobs as j
     set lease_token = null,
         leased_by = null,
         leased_until = null,
         deadline_at = v_job.deadline_at
   where j.job_id = v_job.job_id;
end;
$$;

comment on function upload_pipeline.release_lease(uuid, uuid) is
  'Gives a leased job back undone, as a worker does that stops. Another may claim it at once, and no failed try is '
  'counted. Raises UP001, UP003; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.release_lease(uuid, uuid) from public;
grant execute on function upload_pipeline.release_lease(uuid, uuid) to hookline_worker;
