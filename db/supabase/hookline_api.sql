-- The one schema for PostgREST: add hookline_api to api.schemas, and upload_pipeline never.
-- Here it is decided whether this is Supabase; the files after this one ask whether the schema is there. The
-- catalogue is asked, because to_regprocedure() raises where somebody else's schema `auth` may not be used.
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
    'Hookline through PostgREST: signed-in users see their own jobs and make new ones; service_role operates.';

  grant usage on schema hookline_api to authenticated, service_role;
end;
$$;
