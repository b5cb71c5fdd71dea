begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(14);

create temp view function as
  select p.oid, p.oid::regprocedure::text as function, p.proname, p.prosecdef, p.proconfig, p.proacl, p.prosqlbody,
         p.prorettype = 'trigger'::regtype as is_trigger,
         p.pronamespace = 'hookline_api'::regnamespace as is_door,
         exists (
           select
             from aclexplode(p.proacl) as a
            where a.grantee <> p.proowner
              and p.proname <> 'clock'
         ) as is_granted,
         p.proowner::regrole::text as owner
    from pg_proc as p
   where p.pronamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace);

select cmp_ok((select count(*) from function), '>', 40::bigint, 'there are functions');

select is_empty(
  $$select function from function where coalesce(obj_description(oid, 'pg_proc'), '') !~ '[.;]$'$$,
  'each has a comment, whole sentences or a statement to copy'
);
select bag_eq(
  $$select proname::text from function where owner <> 'hookline_owner'$$, array['broadcast_event'],
  'each is the owner''s; only what sends is the installer''s'
);
select is_empty(
  $$select function from function where proacl is null$$, 'each says who may call it'
);
select is_empty(
  $$select function, a.grantee
      from function, aclexplode(coalesce(proacl, acldefault('f', 'hookline_owner'::regrole))) as a
     where a.grantee = 0$$,
  'public may call none'
);
select is_empty(
  $$select function, a.grantee::regrole
      from function, aclexplode(proacl) as a
     where a.grantee <> 0
       and a.grantee::regrole::text <> owner
       and (a.grantee::regrole::text not in (
              'hookline_owner', 'hookline_ingest', 'hookline_worker', 'hookline_operator', 'hookline_reader',
              'authenticated', 'service_role'
            )
            or a.is_grantable)$$,
  'nobody but our roles may, or may pass that on'
);
select is_empty(
  $$select function from function where (is_granted or is_trigger) and not is_door and not prosecdef$$,
  'what is called from outside has its owner''s rights'
);
select is_empty(
  $$select function from function where prosecdef and not (is_granted or is_trigger)$$,
  'nothing private has'
);
select bag_eq(
  $$select function from function where is_door and prosecdef$$,
  array['hookline_api.create_job(text,text,bigint,text)'], 'of the doors, the one of those who have no rights beyond it'
);
select is_empty(
  $$select function from function where is_door and prosqlbody is null$$,
  'a door is parsed once, when it is made: no path leads it elsewhere'
);
select is_empty(
  $$select function, proconfig from function where not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)$$,
  'whatever has pins its search_path'
);
select is_empty(
  $$select function, proconfig
      from function
     where has_function_privilege('hookline_ingest', oid, 'execute')
       and not coalesce(proconfig @> array['lock_timeout=2s'], false)$$,
  'the endpoint waits for no lock longer than 2 s'
);
select is_empty(
  $$select function, setting
      from function, unnest(proconfig) as setting
     where setting not in ('search_path=pg_catalog, pg_temp', 'lock_timeout=2s')
       and (proname, setting) <> ('broadcast_event', 'lock_timeout=100ms')$$,
  'no other setting is changed'
);
select is_empty(
  $$select proname from function where proname <> lower(proname) or proname !~ '^[a-z][a-z0-9_]*$'$$,
  'names are lowercase words'
);

select * from finish();
rollback;
