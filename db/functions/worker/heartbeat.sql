-- Moves the end of the lease.
-- Locks: job. Calls: clock, lock_leased_job.
create or replace function upload_pipeline.heartbeat(
  job_id uuid,
  lease_token uuid,
  lease interval default '60 seconds'
)
returns timestamptz
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
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(job_id, lease_token);
  v_until timestamptz;
begin
  if lease is null or lease not between interval '1 second' and interval '1 day' then
    raise exception 'a lease of % on job % is not possible', coalesce(lease::text, 'null'), v_job.job_id
      using errcode = 'UP006',
            detail = 'lease is 1 second to 1 day.',
            hint = 'Pass the same lease as to upload_pipeline.claim_jobs.';
  end if;

  v_until := greatest(v_job.leased_until, upload_pipeline.clock() + lease);

  update upload_pipeline.upload_jobs as j
     set leased_until = v_until
   where j.job_id = v_job.job_id;

  return v_until;
end;
$$;

comment on function upload_pipeline.heartbeat(uuid, uuid, interval) is
  'Extends a lease, counted from now, and answers its new end. Call it well before the lease ends. Raises UP001, '
  'UP003, UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.heartbeat(uuid, uuid, interval) from public;
grant execute on function upload_pipeline.heartbeat(uuid, uuid, interval) to hookline_worker;
