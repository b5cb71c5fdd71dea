-- The only source of time, except in ids. It is clock_timestamp() and not now(): after waiting for a lock, now() would
-- be earlier than the event that was written before. No setting can shift it. Tests replace this function. The body is
-- standard SQL: it needs no search_path of its own, so the planner can inline it.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.clock()
returns timestamptz
language sql
volatile
return clock_timestamp();

comment on function upload_pipeline.clock() is 'The current time. Every function takes the time from here.';

revoke all on function upload_pipeline.clock() from public;
-- A view reads its tables with its owner's rights, but calls its functions with the reader's rights.
grant execute on function upload_pipeline.clock() to hookline_reader, hookline_worker;
