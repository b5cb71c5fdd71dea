-- Changes no table: it answers the row of a job without its lease, and the caller writes it. Everything that ends a
-- lease in place uses it. A job of a claimable status is claimed from run_after on. A job of another status is
-- claimed past its deadline, so there the deadline moves.
-- Locks: none. Calls: clock.
create or replace function upload_pipeline.end_lease(job upload_pipeline.upload_jobs)
returns upload_pipeline.upload_jobs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  job.lease_token := null;
  job.leased_by := null;
  job.leased_until := null;
  if not job.claimable and not job.terminal then
    job.deadline_at := greatest(job.run_after, upload_pipeline.clock());
  end if;

  return job;
end;
$$;

comment on function upload_pipeline.end_lease(upload_pipeline.upload_jobs) is
  'The row of a job without its lease: any worker may claim it from run_after on, whatever its status is. The caller '
  'writes it.';

revoke all on function upload_pipeline.end_lease(upload_pipeline.upload_jobs) from public;
