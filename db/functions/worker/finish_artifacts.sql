-- Marks artifacts as stored.
-- Locks: job, artifact. Calls: clock, lock_leased_job.
create or replace function upload_pipeline.finish_artifacts(job_id uuid, lease_token uuid, paths text[])
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
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(
    finish_artifacts.job_id, finish_artifacts.lease_token
  );
begin
  update upload_pipeline.artifacts as a
     set stored_at = upload_pipeline.clock()
   where a.job_id = v_job.job_id
     and a.path = any (finish_artifacts.paths)
     and a.stored_at is null;
end;
$$;

comment on function upload_pipeline.finish_artifacts(uuid, uuid, text[]) is
  'Says that the objects at these paths of receive_artifacts are written. Safe to repeat. Raises UP001, UP003; 55P03 '
  'after waiting 2 s for a lock.';

revoke all on function upload_pipeline.finish_artifacts(uuid, uuid, text[]) from public;
grant execute on function upload_pipeline.finish_artifacts(uuid, uuid, text[]) to hookline_worker;
