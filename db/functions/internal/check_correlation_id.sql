-- Changes nothing. The domain would refuse a wrong correlation_id too, but with an SQLSTATE that is not ours, and
-- without saying what to do.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.check_correlation_id(correlation_id text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if length(correlation_id) not between 1 and 200 or correlation_id ~ '[[:cntrl:]]' then
    raise exception '% is an invalid correlation_id', quote_literal(left(correlation_id, 100))
      using errcode = 'UP006',
            detail = 'correlation_id is 1 to 200 printable characters, or null.',
            hint = 'Pass correlation_id as the detail describes it.';
  end if;
end;
$$;

comment on function upload_pipeline.check_correlation_id(text) is 'Checks a correlation_id; null is one. Raises UP006.';

revoke all on function upload_pipeline.check_correlation_id(text) from public;
