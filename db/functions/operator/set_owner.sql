-- Replaces the row of the owner in owner_settings, or deletes it if nothing is set. CHECK constraints hold the rules.
-- Locks: owner. Calls: check_isolation, check_provider, record_action.
create or replace function upload_pipeline.set_owner(
  owner_id uuid,
  provider text default null,
  max_running integer default null,
  reason text default null
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text;
begin
  perform upload_pipeline.check_isolation();
  perform upload_pipeline.check_provider(provider);
  perform upload_pipeline.record_action(
    'set_owner', set_owner.reason, id => set_owner.owner_id,
    details => jsonb_build_object('provider', provider, 'max_running', max_running)
  );

  if provider is null and max_running is null and owner_id is not null then
    delete from upload_pipeline.owner_settings as o
     where o.owner_id = set_owner.owner_id;
    return;
  end if;

  insert into upload_pipeline.owner_settings as o (owner_id, provider, max_running)
  values (set_owner.owner_id, set_owner.provider, set_owner.max_running)
  on conflict on constraint owner_settings_pkey do update
     set provider = excluded.provider,
         max_running = excluded.max_running;
exception
  when check_violation or not_null_violation then
    get stacked diagnostics v_reason = message_text;
    raise exception 'owner % cannot have provider % and max_running %', coalesce(set_owner.owner_id::text, 'null'),
      coalesce(quote_literal(left(set_owner.provider, 100)), 'null'), coalesce(set_owner.max_running::text, 'null')
      using errcode = 'UP006',
            detail = v_reason,
            hint = 'owner_id is required. max_running is 1 or more. provider and max_running are null to unset them.';
end;
$$;

comment on function upload_pipeline.set_owner(uuid, text, integer, text) is
  'Sets what holds for an owner: the provider of new jobs that name none, and how many of their jobs run at once. It '
  'replaces what was set before; null unsets. Raises UP006.';

revoke all on function upload_pipeline.set_owner(uuid, text, integer, text) from public;
grant execute on function upload_pipeline.set_owner(uuid, text, integer, text) to hookline_operator;
