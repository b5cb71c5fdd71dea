-- Only the try that is still the last one may say so: a path queued again meanwhile has another object.
create or replace function upload_pipeline.finish_deletion(path text, tries integer)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  delete from upload_pipeline.deletions as d
   where d.path = finish_deletion.path
     and d.tries = finish_deletion.tries;
$$;

comment on function upload_pipeline.finish_deletion(text, integer) is
  'Says that an object of an erased document is gone, or was never there; tries is what claim_deletions answered. '
  'Safe to call twice.';

revoke all on function upload_pipeline.finish_deletion(text, integer) from public;
grant execute on function upload_pipeline.finish_deletion(text, integer) to hookline_ingest;
