-- What was spent in this window already counts. Locks: reservations, so that none is made meanwhile, caps.
create or replace function upload_pipeline.set_credit_cap(owner_id uuid, period text, credits numeric)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_starts_at timestamptz;
begin
  if period is null or period not in ('hour', 'day', 'month') or credits < 0 or credits = 'NaN' then
    raise exception 'no cap can be % credits a %', credits, coalesce(quote_literal(left(period, 20)), 'null')
      using errcode = 'UP006',
            detail = 'period is hour, day or month; credits is 0 or more, null to lift the cap.',
            hint = 'For example: select upload_pipeline.set_credit_cap(owner_id => null, period => ''day'', credits => 5000);';
  end if;

  lock table upload_pipeline.credit_reservations in share row exclusive mode;

  if credits is null then
    delete from upload_pipeline.credit_caps as c
     where c.owner_id is not distinct from set_credit_cap.owner_id
       and c.period = set_credit_cap.period;
    return;
  end if;

  v_starts_at := date_trunc(period, upload_pipeline.clock(), 'UTC');

  insert into upload_pipeline.credit_caps as c (owner_id, period, credits, used, starts_at)
  select set_credit_cap.owner_id, set_credit_cap.period, set_credit_cap.credits,
         coalesce(sum(coalesce(r.billed, r.reserved)), 0), v_starts_at
    from upload_pipeline.credit_reservations as r
   where r.reserved_at >= v_starts_at
     and (set_credit_cap.owner_id is null or r.owner_id = set_credit_cap.owner_id)
  on conflict on constraint one_cap_an_owner_and_period do update
     set credits = excluded.credits,
         used = excluded.used,
         starts_at = excluded.starts_at;
end;
$$;

comment on function upload_pipeline.set_credit_cap(uuid, text, numeric) is
  'Caps the credits spent an hour, day or month (UTC) by an owner, or by all together (owner_id null). credits null '
  'lifts the cap. Raises UP006.';

revoke all on function upload_pipeline.set_credit_cap(uuid, text, numeric) from public;
grant execute on function upload_pipeline.set_credit_cap(uuid, text, numeric) to hookline_operator;
