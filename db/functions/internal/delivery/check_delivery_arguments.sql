-- The constraints of webhook_deliveries would refuse these too, but by a name, without saying what to do.
create or replace function upload_pipeline.check_delivery_arguments(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  correlation_id text,
  payload jsonb
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wrong text := case
    when source is null or source !~ '^[a-z][a-z0-9_]{0,62}$' then 'source'
    when delivery_id is null or length(delivery_id) not between 1 and 200 then 'delivery_id'
    when body_sha256 is null or body_sha256 !~ '^[0-9a-f]{64}$' then 'body_sha256'
    when event_type is null or length(event_type) not between 1 and 200 then 'event_type'
    when length(correlation_id) not between 1 and 200 or correlation_id ~ '[[:cntrl:]]' then 'correlation_id'
    when payload is null or jsonb_typeof(payload) <> 'object' then 'payload'
  end;
begin
  if v_wrong is not null then
    raise exception 'delivery % of % has an invalid %',
      coalesce(quote_literal(left(delivery_id, 200)), 'null'), coalesce(quote_literal(left(source, 63)), 'null'), v_wrong
      using errcode = 'UP006',
            detail = 'source: a lowercase word; delivery_id, event_type: 1 to 200 characters; body_sha256: 64 lowercase '
              'hex digits; correlation_id: 1 to 200 printable characters or null; payload, details: a JSON object.',
            hint = format('Pass %s as described.', v_wrong);
  end if;
end;
$$;

comment on function upload_pipeline.check_delivery_arguments(text, text, text, text, text, jsonb) is
  'Checks what every delivery must say of itself. Raises UP006.';

revoke all on function upload_pipeline.check_delivery_arguments(text, text, text, text, text, jsonb) from public;
