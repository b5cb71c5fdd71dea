-- Changes nothing. This is the fencing: a worker that lost its lease to a webhook, an operator or another worker is
-- refused here. An expired lease still belongs to its holder until it is swept.
-- Locks: job. Calls: lock_job.
create or replace function upload_pipeline.lock_leased_job(job_id uuid, lease_token uuid)
returns upload_pipeline.upload_jobs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(lock_leased_job.job_id);
begin
  if v_job.lease_token is distinct from lock_leased_job.lease_token or v_job.lease_token is null then
    raise exception 'the lease on job % has ended', v_job.job_id
      using errcode = 'UP003',
            detail = format(
              'The job is %s (version %s), %s.', v_job.status, v_job.version,
              coalesce('leased by ' || v_job.leased_by, 'not leased')
            ),
            hint = 'Stop working on this job; its next holder does the rest. Claim other work.';
  end if;

  return v_job;
end;
$$;

comment on function upload_pipeline.lock_leased_job(uuid, uuid) is
  'Locks the job and answers its row, if the lease with this token still holds. Raises UP001, UP003.';

revoke all on function upload_pipeline.lock_leased_job(uuid, uuid) from public;
