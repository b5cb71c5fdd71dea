-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.check_credits_argument(credits numeric)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  -- NaN is greater than every number.
  if credits is null or credits not between 0 and 1e12 then
    raise exception 'no attempt costs % credits', coalesce(left(credits::text, 40), 'null')
      using errcode = 'UP006',
            detail = 'credits is a number from 0 to 10^12.',
            hint = 'To reserve, pass the pages times the credits for a page. To settle, pass the credits that the '
              'provider billed, or 0 if the job was never submitted.';
  end if;
end;
$$;

comment on function upload_pipeline.check_credits_argument(numeric) is
  'Checks the credits of a reservation or a bill. Raises UP006.';

revoke all on function upload_pipeline.check_credits_argument(numeric) from public;
