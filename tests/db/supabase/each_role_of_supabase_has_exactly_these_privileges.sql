begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(7);

create temp table grantee (role text collate "default") on commit drop;
insert into grantee values ('anon'), ('authenticated'), ('service_role');

select bag_eq(
  $$select g.role, n.nspname::text, p.privilege
      from grantee as g, pg_namespace as n, unnest(array['USAGE', 'CREATE']) as p (privilege)
     where n.nspname in ('upload_pipeline', 'hookline_api')
       and has_schema_privilege(g.role, n.oid, p.privilege)$$,
  $$values ('authenticated', 'hookline_api', 'USAGE'), ('service_role', 'hookline_api', 'USAGE')$$,
  'authenticated and service_role may use hookline_api; no role may use upload_pipeline'
);
select bag_eq(
  $$select g.role, n.nspname || '.' || p.proname, p.pronargs::integer
      from grantee as g, pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
     where n.nspname in ('upload_pipeline', 'hookline_api')
       and has_function_privilege(g.role, p.oid, 'execute')$$,
  $$values
    ('authenticated', 'hookline_api.create_job', 6),
    ('service_role', 'hookline_api.create_job', 13), ('service_role', 'upload_pipeline.create_job', 13),
    ('service_role', 'hookline_api.confirm_upload', 3), ('service_role', 'upload_pipeline.confirm_upload', 3),
    ('service_role', 'hookline_api.retry_job', 3), ('service_role', 'upload_pipeline.retry_job', 3),
    ('service_role', 'hookline_api.cancel_job', 2), ('service_role', 'upload_pipeline.cancel_job', 2),
    ('service_role', 'hookline_api.close_group', 1), ('service_role', 'upload_pipeline.close_group', 1),
    ('service_role', 'hookline_api.erase_document', 2), ('service_role', 'upload_pipeline.erase_document', 2),
    ('service_role', 'hookline_api.erase_owner', 2), ('service_role', 'upload_pipeline.erase_owner', 2),
    ('service_role', 'upload_pipeline.clock', 0), ('service_role', 'upload_pipeline.in_utc', 1)$$,
  'a user may call one function, the backend seven, and those that they and its view call'
);
select bag_eq(
  $$select g.role, c.oid::regclass::text, p.privilege
      from grantee as g,
           pg_class as c,
           unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p (privilege)
     where c.relnamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
       and c.relkind in ('r', 'v', 'm', 'p', 'f')
       and has_table_privilege(g.role, c.oid, p.privilege)$$,
  $$values ('authenticated', 'hookline_api.my_jobs', 'SELECT'), ('authenticated', 'hookline_api.my_events', 'SELECT'),
           ('authenticated', 'hookline_api.my_artifacts', 'SELECT'),
           ('service_role', 'hookline_api.jobs', 'SELECT'), ('service_role', 'upload_pipeline.job_overview', 'SELECT'),
           ('service_role', 'hookline_api.artifacts', 'SELECT'),
           ('service_role', 'upload_pipeline.artifact_overview', 'SELECT')$$,
  'a user may read three views, the backend two and those behind them; no role has rights on a whole table'
);
-- The columns of the tables that the two views of a user need.
select bag_eq(
  $$select g.role, c.relname || '.' || a.attname, p.privilege
      from grantee as g,
           pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped,
           unnest(array['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) as p (privilege)
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind = 'r'
       and has_column_privilege(g.role, c.oid, a.attnum, p.privilege)$$,
  $$select 'authenticated' as role, t.name || '.' || c.name as field, 'SELECT' as privilege
      from (
        values
          ('documents', array['document_id', 'owner_id', 'filename', 'mime', 'bytes_len']),
          (
            'upload_jobs',
            array[
              'job_id', 'document_id', 'status', 'version', 'terminal', 'failed', 'has_content', 'attempt',
              'last_error', 'parsed_path', 'parsed_sha256', 'metadata', 'priority', 'created_at', 'updated_at'
            ]
          ),
          ('artifacts', array['job_id', 'kind', 'name', 'path', 'sha256', 'bytes', 'stored_at']),
          (
            'events',
            array[
              'job_id', 'version', 'document_id', 'from_status', 'to_status', 'type', 'severity', 'code', 'ts'
            ]
          )
      ) as t (name, columns),
      unnest(t.columns) as c (name)$$,
  'a user may read exactly these columns of four tables'
);
select bag_eq(
  $$select tablename::text, policyname::text, permissive, cmd, roles::text
      from pg_policies
     where schemaname = 'upload_pipeline'$$,
  $$values
    ('documents', 'owner_sees_own_documents', 'PERMISSIVE', 'SELECT', '{authenticated}'),
    ('upload_jobs', 'owner_sees_own_jobs', 'PERMISSIVE', 'SELECT', '{authenticated}'),
    ('events', 'owner_sees_own_events', 'PERMISSIVE', 'SELECT', '{authenticated}'),
    ('artifacts', 'owner_sees_own_artifacts', 'PERMISSIVE', 'SELECT', '{authenticated}'),
    ('operator_actions', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('fallbacks', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('providers', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('error_codes', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('event_codes', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('statuses', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}'),
    ('transitions', 'readers_see_all', 'PERMISSIVE', 'SELECT', '{hookline_reader}')$$,
  'there are exactly these policies'
);
select is_empty(
  $$select g.role, r.rolname
      from grantee as g, pg_roles as r
     where r.rolname like 'hookline\_%' and pg_has_role(g.role, r.oid, 'member')$$,
  'no role of Supabase is a member of a Hookline role'
);
select bag_eq(
  $$select c.relname::text, c.relkind::text, c.relowner::regrole::text, array_to_string(c.reloptions, ',')
      from pg_class as c
     where c.relnamespace = 'hookline_api'::regnamespace$$,
  $$values ('my_jobs', 'v', 'hookline_owner', 'security_invoker=true'),
           ('my_events', 'v', 'hookline_owner', 'security_invoker=true'),
           ('my_artifacts', 'v', 'hookline_owner', 'security_invoker=true'),
           ('jobs', 'v', 'hookline_owner', 'security_invoker=true'),
           ('artifacts', 'v', 'hookline_owner', 'security_invoker=true')$$,
  'the views are owned by hookline_owner and are security_invoker'
);

select * from finish();
rollback;
