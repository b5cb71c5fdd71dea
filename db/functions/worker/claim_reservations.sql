-- Moves check_after of the reservations that it claims. A job may have been purged, and its provider ids with it;
-- then nobody can be asked. A later check_after than a claim sets was set by a clock that was ahead. It is moved to ten
-- minutes from now, and not claimed: its job may be submitted at this moment.
-- Locks: reservation (skip locked). Calls: check_isolation, clock.
create or replace function upload_pipeline.claim_reservations(batch integer default 50, providers text[] default null)
returns table (
  job_id uuid,
  attempt integer,
  provider text,
  reserved numeric,
  reserved_at timestamptz,
  parse_job_ids text[],
  paid_job_ids text[]
)
language sql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
  select upload_pipeline.check_isolation();

  with due as (
    select r.job_id, r.attempt, r.ordinal
      from upload_pipeline.credit_reservations as r
     where r.settled_at is null
       and r.check_after <= (select upload_pipeline.clock())
       and (claim_reservations.providers is null or r.provider = any (claim_reservations.providers))
     order by r.check_after
     limit least(greatest(coalesce(claim_reservations.batch, 1), 1), 1000)
       for no key update skip locked
  ), early as (
    select r.job_id, r.attempt, r.ordinal
      from upload_pipeline.credit_reservations as r
     where r.settled_at is null
       and r.check_after > (select upload_pipeline.clock()) + interval '11 minutes'
       and (claim_reservations.providers is null or r.provider = any (claim_reservations.providers))
     order by r.check_after desc
     limit 1000
       for no key update skip locked
  ), moved as (
    update upload_pipeline.credit_reservations as r
       set check_after = upload_pipeline.clock() + interval '10 minutes'
      from early
     where r.job_id = early.job_id
       and r.attempt = early.attempt
       and r.ordinal = early.ordinal
  ), claimed as (
    update upload_pipeline.credit_reservations as r
       set check_after = upload_pipeline.clock() + interval '10 minutes'
      from due
     where r.job_id = due.job_id
       and r.attempt = due.attempt
       and r.ordinal = due.ordinal
    returning r.job_id, r.attempt, r.provider, r.reserved, r.reserved_at
  )
  select c.job_id, c.attempt, c.provider, c.reserved, c.reserved_at, ids.unpaid, ids.paid
    from claimed as c
    cross join lateral (
      select coalesce(array_agg(p.parse_job_id) filter (where not p.paid), '{}') as unpaid,
             coalesce(array_agg(p.parse_job_id) filter (where p.paid), '{}') as paid
        from (
          -- A provider job is paid if it was known when an earlier reservation of the attempt was settled.
          select p.parse_job_id,
                 exists (
                   select
                     from upload_pipeline.credit_reservations as s
                    where s.job_id = c.job_id
                      and s.attempt = c.attempt
                      and s.provider = c.provider
                      and s.settled_at >= p.recorded_at
                 ) as paid
            from upload_pipeline.provider_jobs as p
           where p.job_id = c.job_id
             and p.attempt = c.attempt
             and p.provider = c.provider
           order by p.recorded_at desc, p.parse_job_id
        ) as p
    ) as ids;
$$;

comment on function upload_pipeline.claim_reservations(integer, text[]) is
  'Claims up to `batch` reservations of these providers (null: of all) that have been open for ten minutes. Ask the '
  'provider what was billed, then call settle_credits, with `reserved` if the provider cannot tell any more. '
  'parse_job_ids are the provider jobs to ask for, latest first; paid_job_ids are those of the same attempt that an '
  'earlier reservation has paid for. A reservation that is not settled comes again after ten minutes. Raises 55P03 '
  'after waiting 2 s for a lock.';

revoke all on function upload_pipeline.claim_reservations(integer, text[]) from public;
grant execute on function upload_pipeline.claim_reservations(integer, text[]) to hookline_worker;
