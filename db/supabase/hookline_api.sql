-- The only schema for PostgREST: add hookline_api to api.schemas, and never upload_pipeline.
-- This file decides whether the database is Supabase's; the files after it check whether the schema exists. It reads
-- the catalogue, because to_regprocedure() raises an error if the installer may not use an existing schema `auth`.
do $$
begin
  if to_regrole('authenticated') is null
    or to_regrole('service_role') is null
    or not exists (
      select
        from pg_catalog.pg_proc as p
       where p.pronamespace = to_regnamespace('auth')
         and p.proname = 'uid'
         and p.pronargs = 0
         and p.prorettype = 'uuid'::regtype
    )
  then
    return;
  end if;

  create schema if not exists hookline_api authorization hookline_owner;

  comment on schema hookline_api is
    'Hookline through PostgREST: signed-in users see their own jobs and create new ones; service_role operates.';

  grant usage on schema hookline_api to authenticated, service_role;
end;
$$;
