-- A time in a text is read by people in other zones and by programs: no setting of the session changes it.
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
  'A time as text, in UTC: 2026-01-31 12:34:56Z. Null for null.';

-- Views call functions with their reader's rights.
revoke all on function upload_pipeline.in_utc(timestamptz) from public;
grant execute on function upload_pipeline.in_utc(timestamptz) to hookline_reader;
