-- Ends expired leases of any status, so that no other process has to look for them. A lease that ends later than the
-- longest lease allows was given by a clock that was ahead. It ends, too.
-- Locks: job (skip locked), deletion, artifact, provider request. Calls: clock, end_lease, lock_job, retry_or_fail.
create or replace function upload_pipeline.sweep_leases(batch integer)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job_id uuid;
  v_job upload_pipeline.upload_jobs;
  v_error jsonb;
begin
  for v_job_id in
    select expired.job_id
      from (
        select j.job_id
          from upload_pipeline.upload_jobs as j
         where j.lease_token is not null
           and j.leased_until < (select upload_pipeline.clock())
         order by j.leased_until
         limit sweep_leases.batch
           for no key update skip locked
      ) as expired
    union all
    -- Given by a clock that was ahead.
    select early.job_id
      from (
        select j.job_id
          from upload_pipeline.upload_jobs as j
         where j.lease_token is not null
           -- claim_jobs and heartbeat give a day at most.
           and j.leased_until > (select upload_pipeline.clock()) + interval '1 day 1 minute'
         order by j.leased_until desc
         limit sweep_leases.batch
           for no key update skip locked
      ) as early
  loop
    v_job := upload_pipeline.lock_job(v_job_id);
    v_error := jsonb_build_object(
      'code', 'lease_expired',
      'error', format('Worker %s sent no heartbeat before its lease expired.', v_job.leased_by)
    );

    begin
      perform upload_pipeline.retry_or_fail(v_job, code => 'lease_expired', error => v_error, permanent => false);
    exception
      -- A status that lacks a transition (see alerts) must not stop the claims of all the others.
      when sqlstate 'UP002' or check_violation then
        v_job.run_after := upload_pipeline.clock() + (
          select s.retry_cap from upload_pipeline.statuses as s where s.status = v_job.status
        );
        v_job := upload_pipeline.end_lease(v_job);

        update upload_pipeline.upload_jobs as j
           set lease_token = null,
               leased_by = null,
               leased_until = null,
               run_after = v_job.run_after,
               deadline_at = v_job.deadline_at,
               last_error = v_error
         where j.job_id = v_job.job_id;
    end;
  end loop;
end;
$$;

comment on function upload_pipeline.sweep_leases(integer) is
  'Ends up to `batch` expired leases, and up to `batch` leases that end more than a day from now. Each counts as a '
  'third of a failed try.';

revoke all on function upload_pipeline.sweep_leases(integer) from public;
