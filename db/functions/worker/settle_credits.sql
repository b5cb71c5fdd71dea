-- No lease: what was billed is known when the work is long over. But who looked, and found nothing to pay, may be late:
-- another has reserved again meanwhile and may be submitting, so the reservation has to be the one that was looked at.
-- Locks: reservation, caps.
-- Calls: check_credits_argument, charge_caps.
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
set lock_timeout = '2s'
as $$
declare
  v_open upload_pipeline.credit_reservations;
  v_settled_at timestamptz;
begin
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

  perform upload_pipeline.charge_caps(v_open.owner_id, credits - v_open.reserved, v_open.reserved_at);

  return 'applied';
end;
$$;

comment on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) is
  'Replaces what is reserved for an attempt by what its submission was billed; 0 where the provider certainly never took '
  'it. What earlier submissions of the attempt were billed stays. reserved_at: only if nobody has reserved again since '
  'then. parse_job_id: the provider job that was billed; it is not paid twice. Outcomes: applied, duplicate (settled '
  'before), stale (reserved again), ignored (nothing was reserved). Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) from public;
grant execute on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz, text) to hookline_worker;
