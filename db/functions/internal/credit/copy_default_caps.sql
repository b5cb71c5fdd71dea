-- Inserts missing rows of credit_caps: an owner who has no cap of their own for a provider gets a row for the cap that
-- is set for each owner. Its sum starts with what the owner spent in the current window. No reservation may be written
-- at the same time, or the sum could miss it.
-- Locks: reservation (the whole table, if a row is missing), cap. Calls: clock, sum_credits.
create or replace function upload_pipeline.copy_default_caps(owner_id uuid, provider text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
      from upload_pipeline.credit_caps as d
     where d.scope = 'each'
       and d.owner_id is null
       and d.provider = copy_default_caps.provider
       and not exists (
         select
           from upload_pipeline.credit_caps as c
          where c.owner_id = copy_default_caps.owner_id
            and c.period = d.period
            and c.provider = d.provider
       )
  ) then
    return;
  end if;

  lock table upload_pipeline.credit_reservations in share row exclusive mode;

  insert into upload_pipeline.credit_caps (provider, scope, owner_id, period, credits, used, starts_at)
  select d.provider, 'each', copy_default_caps.owner_id, d.period, d.credits,
         upload_pipeline.sum_credits(copy_default_caps.owner_id, d.provider, w.starts_at), w.starts_at
    from upload_pipeline.credit_caps as d
    cross join lateral (select date_trunc(d.period, upload_pipeline.clock(), 'UTC') as starts_at) as w
   where d.scope = 'each'
     and d.owner_id is null
     and d.provider = copy_default_caps.provider
     and not exists (
       select
         from upload_pipeline.credit_caps as c
        where c.owner_id = copy_default_caps.owner_id
          and c.period = d.period
          and c.provider = d.provider
     )
  on conflict on constraint one_cap_a_scope_owner_period_and_provider do nothing;
end;
$$;

comment on function upload_pipeline.copy_default_caps(uuid, text) is
  'Gives this owner a row for each cap of a provider that is set for every owner, unless they have a cap of their own '
  'for that period.';

revoke all on function upload_pipeline.copy_default_caps(uuid, text) from public;
