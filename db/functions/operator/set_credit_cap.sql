-- Writes or deletes rows of credit_caps. What was spent in the current window counts already.
-- Locks: reservation (the whole table, so that none is made at the same time), cap.
-- Calls: check_isolation, check_provider, clock, record_action, sum_credits.
create or replace function upload_pipeline.set_credit_cap(
  owner_id uuid,
  period text,
  credits numeric,
  each_owner boolean default false,
  provider text default 'llamacloud',
  reason text default null
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_scope text := case when each_owner then 'each' when owner_id is null then 'all' else 'owner' end;
  v_starts_at timestamptz;
begin
  perform upload_pipeline.check_isolation();
  perform upload_pipeline.check_provider(provider);

  if period is null or period not in ('hour', 'day', 'month') or credits < 0 or credits = 'NaN'
    or v_scope = 'each' and owner_id is not null
    or provider is null
  then
    raise exception 'a cap cannot be % credits of % a % of %', coalesce(left(credits::text, 40), 'null'),
      coalesce(quote_literal(left(provider, 100)), 'null'), coalesce(quote_literal(left(period, 20)), 'null'),
      coalesce('owner ' || owner_id, v_scope)
      using errcode = 'UP006',
            detail = 'period is hour, day or month; credits is 0 or more, null to remove the cap, or Infinity to '
              'exempt an owner from the cap for each owner; each_owner is true only without an owner_id; provider is '
              'required.',
            hint = 'For example: upload_pipeline.set_credit_cap(owner_id => null, period => ''day'', credits => 5000).';
  end if;

  perform upload_pipeline.record_action(
    'set_credit_cap', set_credit_cap.reason, id => set_credit_cap.owner_id,
    details => jsonb_build_object(
      'scope', v_scope, 'provider', provider, 'period', period, 'credits', coalesce(credits::text, 'none')
    )
  );

  lock table upload_pipeline.credit_reservations in share row exclusive mode;

  -- A cap of an owner's own replaces their row of the cap for each owner. copy_default_caps makes that row again after
  -- the own cap is removed.
  delete from upload_pipeline.credit_caps as c
   where c.scope = 'each'
     and c.owner_id = set_credit_cap.owner_id
     and c.period = set_credit_cap.period
     and c.provider = set_credit_cap.provider;

  if credits is null then
    delete from upload_pipeline.credit_caps as c
     where c.scope = v_scope
       and c.period = set_credit_cap.period
       and c.provider = set_credit_cap.provider
       and (v_scope = 'each' or c.owner_id is not distinct from set_credit_cap.owner_id);
    return;
  end if;

  if v_scope = 'each' then
    update upload_pipeline.credit_caps as c
       set credits = set_credit_cap.credits
     where c.scope = 'each'
       and c.period = set_credit_cap.period
       and c.provider = set_credit_cap.provider;
  end if;

  v_starts_at := date_trunc(period, upload_pipeline.clock(), 'UTC');

  insert into upload_pipeline.credit_caps as c (provider, scope, owner_id, period, credits, used, starts_at)
  values (
    set_credit_cap.provider, v_scope, set_credit_cap.owner_id, set_credit_cap.period, set_credit_cap.credits,
    case
      when v_scope = 'each' then 0
      else upload_pipeline.sum_credits(set_credit_cap.owner_id, set_credit_cap.provider, v_starts_at)
    end,
    v_starts_at
  )
  on conflict on constraint one_cap_a_scope_owner_period_and_provider do update
     set credits = excluded.credits,
         used = excluded.used,
         starts_at = excluded.starts_at;
end;
$$;

comment on function upload_pipeline.set_credit_cap(uuid, text, numeric, boolean, text, text) is
  'Caps the credits of a provider that are spent in an hour, day or month (UTC): by an owner; by all owners together '
  '(owner_id null); or by every owner who has no cap of their own for that period (each_owner => true). credits null '
  'removes the cap. Raises UP006.';

revoke all on function upload_pipeline.set_credit_cap(uuid, text, numeric, boolean, text, text) from public;
grant execute on function upload_pipeline.set_credit_cap(uuid, text, numeric, boolean, text, text) to hookline_operator;
