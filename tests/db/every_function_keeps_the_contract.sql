begin;
\ir helpers.psql
select plan(12);

create temp view function as
  select p.oid, p.oid::regprocedure::text as function, p.proname, p.prosecdef, p.proconfig, p.proacl,
         p.prorettype = 'trigger'::regtype as is_trigger,
         exists (
           select
             from aclexplode(p.proacl) as a
            where a.grantee <> p.proowner
              and p.proname <> 'clock'
         ) as is_granted,
         p.proowner::regrole::text as owner
    from pg_proc as p
   where p.pronamespace = 'upload_pipeline'::regnamespace;

select cmp_ok((select count(*) from function), '>', 40::bigint, 'there are functions');

select is_empty(
  $$select function from function where coalesce(obj_description(oid, 'pg_proc'), '') !~ '[.;]$'$$,
  'each has a comment, whole sentences or a statement to copy'
);
select is_empty($$select function, owner from function where owner <> 'hookline_owner'$$, 'each is the owner''s');
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
       and (a.grantee::regrole::text not in (
              'hookline_owner', 'hookline_ingest', 'hookline_worker', 'hookline_operator', 'hookline_reader'
            )
            or (a.is_grantable and a.grantee <> 'hookline_owner'::regrole))$$,
  'nobody but our roles may, or may pass that on'
);
select is_empty(
  $$select function from function where (is_granted or is_trigger) and not prosecdef$$,
  'what is called from outside has its owner''s rights'
);
select is_empty(
  $$select function from function where prosecdef and not (is_granted or is_trigger)$$,
  'nothing private has'
);
select is_empty(
  $$select function, proconfig from function where prosecdef and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)$$,
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
     where setting not in ('search_path=pg_catalog, pg_temp', 'lock_timeout=2s')$$,
  'no other setting is changed'
);
select is_empty(
  $$select proname from function where proname <> lower(proname) or proname !~ '^[a-z][a-z0-9_]*$'$$,
  'names are lowercase words'
);

select * from finish();
rollback;
