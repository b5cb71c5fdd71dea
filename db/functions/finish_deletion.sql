create or replace function upload_pipeline.finish_deletion(path text)
returns void
language sql
security definer
set search_path = ''
set lock_timeout = '2s'
as $$
  delete from upload_pipeline.deletions as d where d.path = finish_deletion.path;
$$;

comment on function upload_pipeline.finish_deletion(text) is
  'Says that an object of an erased document is gone, or was never there. Safe to call twice.';

revoke all on function upload_pipeline.finish_deletion(text) from public;
grant execute on function upload_pipeline.finish_deletion(text) to hookline_ingest;
