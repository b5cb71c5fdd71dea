-- Writes or deletes one row of fallbacks.
-- Locks: fallback. Calls: check_isolation, check_provider, record_action.
create or replace function upload_pipeline.set_fallback(
  provider text,
  next_provider text,
  code text default null,
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
  perform upload_pipeline.check_provider(next_provider);

  perform upload_pipeline.record_action(
    'set_fallback', set_fallback.reason,
    details => jsonb_build_object('provider', provider, 'next_provider', next_provider, 'code', code)
  );

  if next_provider is null and provider is not null then
    delete from upload_pipeline.fallbacks as f
     where f.provider = set_fallback.provider
       and f.code is not distinct from set_fallback.code;
    return;
  end if;

  insert into upload_pipeline.fallbacks as f (provider, code, next_provider)
  values (set_fallback.provider, set_fallback.code, set_fallback.next_provider)
  on conflict on constraint one_fallback_a_provider_and_code do update
     set next_provider = excluded.next_provider;
exception
  when check_violation or not_null_violation then
    get stacked diagnostics v_reason = message_text;
    raise exception 'provider % cannot fall back to % after %', coalesce(quote_literal(left(provider, 100)), 'null'),
      coalesce(quote_literal(left(next_provider, 100)), 'null'),
      coalesce(quote_literal(left(code, 100)), 'every failure')
      using errcode = 'UP006',
            detail = v_reason,
            hint = 'provider and next_provider are two of upload_pipeline.providers. code is that of a failure (a '
              'letter and up to 99 letters, digits, _ and .), or null for every failure without a row of its own.';
end;
$$;

comment on function upload_pipeline.set_fallback(text, text, text, text) is
  'Sets what is done instead of a dead letter when a job fails at a provider with this code (null: with every code '
  'that has no row of its own): it begins another attempt at next_provider. next_provider null removes it. It counts '
  'for failures from now on. Raises UP006.';

revoke all on function upload_pipeline.set_fallback(text, text, text, text) from public;
grant execute on function upload_pipeline.set_fallback(text, text, text, text) to hookline_operator;
