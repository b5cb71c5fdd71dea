begin;
\ir ../search_path.psql
select plan(6);

select cmp_ok(upload_pipeline.clock(), '>', now(), 'the clock advances inside a transaction');
select is(
  (select pg_get_function_sqlbody(p.oid) from pg_proc as p where p.oid = 'upload_pipeline.clock()'::regprocedure),
  'RETURN clock_timestamp()', 'clock() returns clock_timestamp()'
);
select ok(
  (
    select coalesce(p.proconfig, '{}') <@ array['search_path=pg_catalog, pg_temp']
      from pg_proc as p
     where p.oid = 'upload_pipeline.clock()'::regprocedure
  ),
  'clock() has no setting, apart from the search_path that it has on Supabase'
);
select is_empty(
  $$select p.oid::regprocedure
      from pg_proc as p
     where p.pronamespace = 'upload_pipeline'::regnamespace
       and p.prosrc ~* '\mcurrent_setting\M'
       and (p.proname <> 'check_isolation' or p.prosrc ~* 'current_setting.*current_setting')$$,
  'no function reads a setting, except the isolation of its transaction'
);
select is_empty(
  $$select r.relname, a.attname
      from pg_attrdef as d
      join pg_class as r on r.oid = d.adrelid
      join pg_attribute as a on a.attrelid = r.oid and a.attnum = d.adnum
     where r.relnamespace = 'upload_pipeline'::regnamespace
       and a.atttypid = 'timestamptz'::regtype
       and pg_get_expr(d.adbin, d.adrelid) <> 'upload_pipeline.clock()'$$,
  'every timestamptz default of a table calls clock()'
);
select is_empty(
  $$select c.relname
      from pg_class as c
     where c.relnamespace = 'upload_pipeline'::regnamespace
       and c.relkind = 'v'
       and pg_get_viewdef(c.oid) ~* '\m(now\(|clock_timestamp|current_timestamp|statement_timestamp|current_setting)'$$,
  'no view reads the time except by clock()'
);

select * from finish();
rollback;
