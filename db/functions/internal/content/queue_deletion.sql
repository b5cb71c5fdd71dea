-- Writes one row of deletions, due in five minutes: a receiver may be writing the object right now, and gives up long
-- before that. An object outside our storage belongs to its uploader. For a path that is queued already, tries rises,
-- so that the finish_deletion of a try under way finds no row.
-- Locks: deletion. Calls: clock.
create or replace function upload_pipeline.queue_deletion(path text)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into upload_pipeline.deletions as d (path, run_after)
  select queue_deletion.path, upload_pipeline.clock() + interval '5 minutes'
   where queue_deletion.path like 'storage://%'
  on conflict on constraint deletions_pkey do update
     set run_after = excluded.run_after,
         tries = d.tries + 1;

  return found;
end;
$$;

comment on function upload_pipeline.queue_deletion(text) is
  'Queues an object for deletion from storage, unless a document needs it by then. Answers false if the object is '
  'not in our storage.';

revoke all on function upload_pipeline.queue_deletion(text) from public;
