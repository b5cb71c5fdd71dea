-- Closes a reservation and corrects the caps. No lease is needed: the bill may come long after the work. But a caller
-- that looked and found nothing to pay may be late: another worker has reserved again and may be submitting. So
-- reserved_at has to be that of the reservation that was looked at.
-- Locks: reservation, cap. Calls: charge_caps, check_credits_argument, check_isolation, clock.
create or replace function upload_pipeline.settle_credits(
  job_id uuid,
  attempt integer,
  credits numeric,
  reserved_at timestamptz default null,
  parse_job_id text default null
)
returns upload_pipeline.outcome
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
  v_open upload_pipeline.credit_reservations;
  v_settled_at timestamptz;
begin
  perform upload_pipeline.check_isolation();
  perform upload_pipeline.check_credits_argument(credits);

  select r.* into v_open
    from upload_pipeline.credit_reservations as r
   where r.job_id = settle_credits.job_id
     and r.attempt = settle_credits.attempt
     and r.settled_at is null
     for no key update;

  select max(r.settled_at) into v_settled_at
    from upload_pipeline.credit_reservations as r
   where r.job_id = settle_credits.job_id
     and r.attempt = settle_credits.attempt;

  if v_open.job_id is null then
    return case when v_settled_at is null then 'ignored' else 'duplicate' end;
  end if;
  if v_open.reserved_at <> settle_credits.reserved_at then
    return 'stale';
  end if;
  if exists (
    select
      from upload_pipeline.provider_jobs as p
     where p.parse_job_id = settle_credits.parse_job_id
       and p.provider = v_open.provider
       and p.job_id = settle_credits.job_id
       and p.recorded_at <= v_settled_at
  ) then
    return 'duplicate';
  end if;

  update upload_pipeline.credit_reservations as r
     set billed = credits,
         settled_at = upload_pipeline.clock(),
         check_after = null
   where r.job_id = v_open.job_id
     and r.attempt = v_open.attempt
     and r.ordinal = v_open.ordinal;

  perform upload_pipeline.charge_caps(
    v_open.owner_id, v_open.provider, credits - v_open.reserved, v_open.reserved_at
  );

  return 'applied';
end;
$$;

comment on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) is
  'Replaces what is reserved for an attempt by what its submission was billed. Pass 0 only if the provider '
  'certainly never took the job. What earlier submissions of the attempt were billed stays. If reserved_at is '
  'given, a reservation that was made again since then stays open. parse_job_id is the provider job that was '
  'billed; it is not paid twice. Outcomes: applied, duplicate (settled before), stale (reserved again), ignored '
  '(nothing was reserved). Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) from public;
grant execute on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) to hookline_worker;
