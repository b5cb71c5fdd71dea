-- Adds a row to operator_actions, in the transaction of the action.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.record_action(
  action text,
  reason text,
  status text default null,
  id uuid default null,
  details jsonb default '{}'
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(reason) not between 1 and 500 then
    raise exception 'the reason % cannot be stored', quote_literal(left(reason, 100))
      using errcode = 'UP006',
            detail = 'reason has 1 to 500 characters, or is null.',
            hint = 'Say in a sentence why, or leave reason out.';
  end if;

  insert into upload_pipeline.operator_actions (action, subject, reason, details)
  values (
    record_action.action, coalesce(record_action.status, encode(sha256(record_action.id::text::bytea), 'hex')),
    record_action.reason, jsonb_strip_nulls(record_action.details)
  );
end;
$$;

comment on function upload_pipeline.record_action(text, text, text, uuid, jsonb) is
  'Writes down what the login that calls did. The subject is a status, or the SHA-256 of an id. Raises UP006 if the '
  'reason is empty or longer than 500 characters.';

revoke all on function upload_pipeline.record_action(text, text, text, uuid, jsonb) from public;
