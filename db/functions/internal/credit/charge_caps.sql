-- Adds to the sums of the caps. It locks the caps first and reads the clock then: a caller that waited for a cap over
-- midnight is charged in the new window, and its reservation gets the time that was charged. So the sum of a cap is
-- always that of the reservations in its window.
-- Locks: cap (the caps of all owners first). Calls: clock, in_utc.
create or replace function upload_pipeline.charge_caps(
  owner_id uuid,
  provider text,
  credits numeric,
  reserved_at timestamptz default null
)
returns timestamptz
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_caps upload_pipeline.credit_caps[] := array(
    select c
      from upload_pipeline.credit_caps as c
     where c.provider = charge_caps.provider
       and (c.scope = 'all' or c.owner_id = charge_caps.owner_id)
     order by c.owner_id nulls first, c.period
       for no key update
  );
  -- Never earlier than a window that has begun, whatever the clock of this server says.
  v_at timestamptz := coalesce(
    charge_caps.reserved_at,
    (select greatest(upload_pipeline.clock(), max(c.starts_at)) from unnest(v_caps) as c)
  );
  v_cap upload_pipeline.credit_caps;
  v_starts_at timestamptz;
  v_used numeric;
begin
  foreach v_cap in array v_caps loop
    -- A correction of an earlier window changes nothing in the current one.
    continue when charge_caps.reserved_at < v_cap.starts_at;
    v_starts_at := case when charge_caps.reserved_at is null then date_trunc(v_cap.period, v_at, 'UTC')
                        else v_cap.starts_at end;
    v_used := case when v_cap.starts_at = v_starts_at then v_cap.used else 0 end;

    if charge_caps.reserved_at is null and v_used + charge_caps.credits > v_cap.credits then
      raise exception '% credits of % would exceed the cap of % a %',
        charge_caps.credits, v_cap.provider, v_cap.credits, v_cap.period
        using errcode = 'UP005',
              detail = format(
                'Left for %s: %s until %s.', coalesce('owner ' || v_cap.owner_id, 'all owners'),
                greatest(v_cap.credits - v_used, 0),
                upload_pipeline.in_utc(
                  (v_starts_at at time zone 'UTC' + ('1 ' || v_cap.period)::interval) at time zone 'UTC'
                )
              ),
              hint = 'Wait until then, or set a higher cap with upload_pipeline.set_credit_cap.';
    end if;

    update upload_pipeline.credit_caps as c
       set used = greatest(v_used + charge_caps.credits, 0),
           starts_at = v_starts_at
     where c.scope = v_cap.scope
       and c.owner_id is not distinct from v_cap.owner_id
       and c.period = v_cap.period
       and c.provider = v_cap.provider;
  end loop;

  return v_at;
end;
$$;

comment on function upload_pipeline.charge_caps(uuid, text, numeric, timestamptz) is
  'Adds credits of a provider to the caps of an owner and to those of all owners, and answers the time at which they '
  'count. If reserved_at is null, this is a new charge and may not exceed a cap. Otherwise it corrects what was '
  'charged at that time: credits may be negative, and the sum may exceed a cap. Raises UP005.';

revoke all on function upload_pipeline.charge_caps(uuid, text, numeric, timestamptz) from public;
