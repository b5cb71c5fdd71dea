-- The only source of time but for ids. clock_timestamp(), not now(): after waiting for a lock, now() is older than
-- the event written before it. No setting can shift it; tests replace the function.
create or replace function upload_pipeline.clock()
returns timestamptz
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select clock_timestamp();
$$;

comment on function upload_pipeline.clock() is 'The time, from the one source every function uses.';

revoke all on function upload_pipeline.clock() from public;
-- A view's tables are read with its owner's rights, but its functions are called with the reader's.
grant execute on function upload_pipeline.clock() to hookline_reader, hookline_worker;
