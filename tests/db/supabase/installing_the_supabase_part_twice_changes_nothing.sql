begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(2);

-- Everything that db/supabase creates or grants, as text.
create function pg_temp.installed() returns table (what text, is text)
language sql as $$
  select p.oid::regprocedure::text, concat_ws(' ', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl, obj_description(p.oid))
    from pg_proc as p
   where p.pronamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
  union all
  select c.oid::regclass::text, concat_ws(' ', pg_get_viewdef(c.oid), c.relowner::regrole, c.relacl, c.reloptions, obj_description(c.oid))
    from pg_class as c
   where c.relnamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace) and c.relkind = 'v'
  union all
  select c.oid::regclass::text, concat_ws(' ', c.relacl, c.relrowsecurity, c.relforcerowsecurity)
    from pg_class as c
   where c.relnamespace = 'upload_pipeline'::regnamespace and c.relkind = 'r'
  union all
  select a.attrelid::regclass || '.' || a.attname, a.attacl::text
    from pg_attribute as a join pg_class as c on c.oid = a.attrelid
   where c.relnamespace = 'upload_pipeline'::regnamespace and a.attacl is not null
  union all
  select n.nspname, concat_ws(' ', n.nspowner::regrole, n.nspacl, obj_description(n.oid))
    from pg_namespace as n
   where n.nspname in ('upload_pipeline', 'hookline_api')
  union all
  select format('%s on %s.%s', p.policyname, p.schemaname, p.tablename), concat_ws(' ', p.permissive, p.roles, p.cmd, p.qual, p.with_check)
    from pg_policies as p
  union all
  select t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
   where c.relnamespace = 'upload_pipeline'::regnamespace and not t.tgisinternal
$$;
create temporary table before as select * from pg_temp.installed();
select cmp_ok(
  (select count(*) from before where what ~ 'hookline_api|broadcast|owner_(sees|hears)'), '>=', 14::bigint, 'the Supabase part is installed'
);
-- `supabase test db` sees only this folder, so there are no files to run again.
\if :not_there
\ir ../../../db/supabase/install.sql
\endif
select set_eq('select * from pg_temp.installed()', 'select * from before', 'installing it again changes nothing');

select * from finish();
rollback;
