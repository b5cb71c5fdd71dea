-- Deletes the row of a deletion that is done. tries tells whether this is still the latest try: a path that was
-- queued again in the meantime has a new object, so its row stays.
-- Locks: deletion. Calls: check_isolation.
create or replace function upload_pipeline.finish_deletion(path text, tries integer)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
  select upload_pipeline.check_isolation();

  delete from upload_pipeline.deletions as d
   where d.path = finish_deletion.path
     and d.tries = finish_deletion.tries;
$$;

comment on function upload_pipeline.finish_deletion(text, integer) is
  'Call it when an object is deleted from storage, or was not there. tries is what claim_deletions answered. Safe '
  'to repeat.';

revoke all on function upload_pipeline.finish_deletion(text, integer) from public;
grant execute on function upload_pipeline.finish_deletion(text, integer) to hookline_ingest;
