begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(15);

create temp view function as
  select p.oid, p.oid::regprocedure::text as function, p.proname, p.prosecdef, p.proconfig, p.proacl, p.prosqlbody,
         p.prorettype = 'trigger'::regtype as is_trigger,
         p.pronamespace = 'hookline_api'::regnamespace as is_door,
         exists (
           select
             from aclexplode(p.proacl) as a
            where a.grantee <> p.proowner
              and p.proname not in ('clock', 'in_utc', 'provider_of')
         ) as is_granted,
         p.proowner::regrole::text as owner
    from pg_proc as p
   where p.pronamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace);

select cmp_ok((select count(*) from function), '>', 40::bigint, 'the query finds the functions');

select is_empty(
  $$select function from function where coalesce(obj_description(oid, 'pg_proc'), '') !~ '[.;]$'$$,
  'each function has a comment that ends with a full stop or a semicolon'
);
select bag_eq(
  $$select proname::text from function where owner <> 'hookline_owner'$$, array['broadcast_event'],
  'hookline_owner owns each function except broadcast_event'
);
select is_empty(
  $$select function from function where proacl is null$$, 'each function has an explicit ACL'
);
select is_empty(
  $$select function, a.grantee
      from function, aclexplode(coalesce(proacl, acldefault('f', 'hookline_owner'::regrole))) as a
     where a.grantee = 0$$,
  'public may call no function'
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
  'only our roles may call functions, without grant option'
);
select is_empty(
  $$select function from function where (is_granted or is_trigger) and not is_door and not prosecdef$$,
  'each granted function and each trigger function is security definer'
);
select is_empty(
  $$select function from function where prosecdef and not (is_granted or is_trigger)$$,
  'no internal function is security definer'
);
select bag_eq(
  $$select function from function where is_door and prosecdef$$,
  array['hookline_api.create_job(text,text,bigint,text,jsonb,integer)'],
  'in hookline_api only the create_job of users is security definer'
);
select is_empty(
  $$select function from function where is_door and prosqlbody is null$$,
  'each function of hookline_api has a body in standard SQL, which is parsed once'
);
select is_empty(
  $$select function, proconfig
      from function
     where prosqlbody is null
       and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)$$,
  'each function pins its search_path, or has a body in standard SQL, which is parsed once'
);
select is_empty(
  $$select function, proconfig
      from function
     where has_function_privilege('hookline_ingest', oid, 'execute')
       and proconfig @> array['lock_timeout=2s'] is not true
       and (proname <> 'receive_events' or proconfig @> array['lock_timeout=100ms'] is not true)$$,
  'functions of the endpoint wait 2 s at most for a lock, and the one for many deliveries 100 ms'
);
select is_empty(
  $$select function, setting
      from function, unnest(proconfig) as setting
     where setting not in (
             'search_path=pg_catalog, pg_temp', 'lock_timeout=2s', 'plan_cache_mode=force_generic_plan',
             'enable_seqscan=off', 'enable_bitmapscan=off', 'enable_hashjoin=off', 'enable_mergejoin=off', 'jit=off'
           )
       and (proname not in ('broadcast_event', 'receive_events') or setting <> 'lock_timeout=100ms')$$,
  'no function changes another setting'
);
select is_empty(
  $$select function
      from function
     where proconfig @> array['enable_seqscan=off']
       and not proconfig @> array['jit=off']
       and exists (
         select
           from pg_roles as r
          where r.rolname in ('hookline_ingest', 'hookline_worker', 'hookline_operator')
            and has_function_privilege(r.oid, function.oid, 'execute')
       )$$,
  'a granted function that switches a kind of scan off, which makes plans look expensive, has none of them compiled'
);
select is_empty(
  $$select proname from function where proname <> lower(proname) or proname !~ '^[a-z][a-z0-9_]*$'$$,
  'function names are lowercase words'
);

select * from finish();
rollback;
