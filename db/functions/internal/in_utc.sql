-- Changes nothing. People in other time zones, and programs, read the times in texts, so no setting of the session
-- may change how they look.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.in_utc(at timestamptz)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when isfinite(in_utc.at) then to_char(in_utc.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')
    else in_utc.at::text
  end;
$$;

comment on function upload_pipeline.in_utc(timestamptz) is
  'A time as text, in UTC: 2026-01-31 12:34:56Z. Answers null for null.';

-- A view calls its functions with the reader's rights.
revoke all on function upload_pipeline.in_utc(timestamptz) from public;
grant execute on function upload_pipeline.in_utc(timestamptz) to hookline_reader;
