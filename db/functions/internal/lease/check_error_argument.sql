-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.check_error_argument(error jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(error) is distinct from 'object'
    or coalesce(error ->> 'code', '') !~ '^[A-Za-z][A-Za-z0-9_.]{0,99}$'
    or jsonb_typeof(error -> 'error') is distinct from 'string'
    or octet_length(error::text) > 10000
  then
    raise exception 'the error % cannot be stored', coalesce(left(error::text, 100), 'null')
      using errcode = 'UP006',
            detail = 'error is an object of at most 10,000 bytes, with code (a letter and up to 99 letters, digits, _ '
              'and .) and error (a text).',
            hint = 'For example: {"code": "PDF_IS_PROTECTED", "error": "The PDF needs a password."}';
  end if;

  return error;
end;
$$;

comment on function upload_pipeline.check_error_argument(jsonb) is
  'Answers the error if it can be stored as last_error. Raises UP006.';

revoke all on function upload_pipeline.check_error_argument(jsonb) from public;
