-- No lease: what was billed is known when the work is long over. But who looked, and found nothing to pay, may be late:
-- another has reserved anew meanwhile and may be submitting, so the reservation has to be the one that was looked at.
-- Locks: reservation, caps.
create or replace function upload_pipeline.settle_credits(
  job_id uuid,
  attempt integer,
  credits numeric,
  reserved_at timestamptz default null
)
returns upload_pipeline.outcome
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_reservation upload_pipeline.credit_reservations;
begin
  if credits is null or credits < 0 or credits = 'NaN' or credits = 'Infinity' then
    raise exception 'cannot settle % credits for job %', coalesce(credits::text, 'null'), settle_credits.job_id
      using errcode = 'UP006',
            detail = 'credits is a number of 0 or more.',
            hint = 'Pass usage.credits of the provider''s job; 0 if it was never submitted.';
  end if;

  select r.* into v_reservation
    from upload_pipeline.credit_reservations as r
   where r.job_id = settle_credits.job_id
     and r.attempt = settle_credits.attempt
     for no key update;
  if not found then
    return 'ignored';
  end if;
  if v_reservation.settled_at is not null then
    return 'duplicate';
  end if;
  if v_reservation.reserved_at <> settle_credits.reserved_at then
    return 'stale';
  end if;

  update upload_pipeline.credit_reservations as r
     set billed = credits,
         settled_at = upload_pipeline.clock(),
         check_after = null
   where r.job_id = v_reservation.job_id
     and r.attempt = v_reservation.attempt;

  perform upload_pipeline.charge_caps(
    v_reservation.owner_id, credits - v_reservation.reserved, v_reservation.reserved_at
  );

  return 'applied';
end;
$$;

comment on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz) is
  'Replaces what was reserved for an attempt by what was billed; 0 where the provider certainly never took it. '
  'reserved_at: only if nobody has reserved anew since then. Outcomes: applied, duplicate (settled before), stale '
  '(reserved anew), ignored (nothing was reserved). Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz) from public;
grant execute on function upload_pipeline.settle_credits(uuid, integer, numeric, timestamptz) to hookline_worker;
