-- Everything below is created as hookline_owner. The installer's own role is remembered, because it may
-- itself be a `set role` (Supabase's CLI does that), and given back by finish.sql.
do $$
begin
  perform set_config('hookline.installer', current_user, true);
end;
$$;

create schema upload_pipeline authorization hookline_owner;

set local role hookline_owner;

comment on schema upload_pipeline is
  'Hookline: document-parsing webhooks as durable job state. Call the functions; the tables are theirs.';

grant usage on schema upload_pipeline
  to hookline_ingest, hookline_worker, hookline_operator, hookline_reader;
