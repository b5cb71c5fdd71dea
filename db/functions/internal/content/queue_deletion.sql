-- Five minutes from now: a receiver may be writing the object this moment, and gives up long before that. What is
-- not in our storage is its uploader's to delete. A deletion that is under way no longer counts (tries).
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
  'Has an object deleted from storage, unless a document needs it by then. False: it is not in our storage.';

revoke all on function upload_pipeline.queue_deletion(text) from public;
