-- The job may be purged by now, its ids with it: then nobody can be asked. Locks: reservations, skipping what others hold.
create or replace function upload_pipeline.claim_reservations(batch integer default 50)
returns table (job_id uuid, attempt integer, reserved numeric, reserved_at timestamptz, parse_job_ids text[])
language sql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  with due as (
    select r.job_id, r.attempt
      from upload_pipeline.credit_reservations as r
     where r.settled_at is null
       and r.check_after <= (select upload_pipeline.clock())
     order by r.check_after
     limit greatest(coalesce(claim_reservations.batch, 1), 1)
       for no key update skip locked
  )
  update upload_pipeline.credit_reservations as r
     set check_after = upload_pipeline.clock() + interval '10 minutes'
    from due
   where r.job_id = due.job_id
     and r.attempt = due.attempt
  returning r.job_id, r.attempt, r.reserved, r.reserved_at,
            array(
              select p.parse_job_id
                from upload_pipeline.provider_jobs as p
               where p.job_id = r.job_id
                 and p.attempt = r.attempt
               order by p.recorded_at desc, p.parse_job_id
            );
$$;

comment on function upload_pipeline.claim_reservations(integer) is
  'Reservations open for long: ask the provider what was billed and call settle_credits, with `reserved` where it '
  'cannot tell any more. What is not settled comes again after ten minutes. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.claim_reservations(integer) from public;
grant execute on function upload_pipeline.claim_reservations(integer) to hookline_worker;
