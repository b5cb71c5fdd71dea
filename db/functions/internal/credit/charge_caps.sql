-- A window that has passed starts anew with the first charge after it, and what was reserved in an earlier one changes
-- nothing in this. Locks: caps, all owners' first.
create or replace function upload_pipeline.charge_caps(
  owner_id uuid,
  credits numeric,
  reserved_at timestamptz default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_cap record;
  v_starts_at timestamptz;
  v_used numeric;
begin
  for v_cap in
    select c.owner_id, c.period, c.credits, c.used, c.starts_at
      from upload_pipeline.credit_caps as c
     where c.owner_id is null
        or c.owner_id = charge_caps.owner_id
     order by c.owner_id nulls first, c.period
       for no key update
  loop
    -- The time after waiting for the lock, and never back: another may have begun the next window meanwhile.
    v_starts_at := greatest(v_cap.starts_at, date_trunc(v_cap.period, upload_pipeline.clock(), 'UTC'));
    continue when charge_caps.reserved_at < v_starts_at;
    v_used := case when v_cap.starts_at = v_starts_at then v_cap.used else 0 end;

    if charge_caps.reserved_at is null and v_used + charge_caps.credits > v_cap.credits then
      raise exception '% credits would exceed the cap of % a %', charge_caps.credits, v_cap.credits, v_cap.period
        using errcode = 'UP005',
              detail = format(
                'Left for %s: %s until %s.', coalesce('owner ' || v_cap.owner_id, 'all owners'),
                greatest(v_cap.credits - v_used, 0),
                (v_starts_at at time zone 'UTC' + ('1 ' || v_cap.period)::interval) at time zone 'UTC'
              ),
              hint = 'Wait until then, or set a higher cap with upload_pipeline.set_credit_cap.';
    end if;

    update upload_pipeline.credit_caps as c
       set used = greatest(v_used + charge_caps.credits, 0),
           starts_at = v_starts_at
     where (c.owner_id = v_cap.owner_id or c.owner_id is null and v_cap.owner_id is null)
       and c.period = v_cap.period;
  end loop;
end;
$$;

comment on function upload_pipeline.charge_caps(uuid, numeric, timestamptz) is
  'Adds credits to the caps of an owner and of all: new ones, or a correction (negative: gives back) to what was '
  'reserved at that time, which may exceed a cap. Raises UP005.';

revoke all on function upload_pipeline.charge_caps(uuid, numeric, timestamptz) from public;
