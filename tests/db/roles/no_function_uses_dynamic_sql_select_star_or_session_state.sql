begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(6);

-- The bodies of the functions without comments and without the text in quotes.
create temp view body as
  select p.oid::regprocedure::text as function, p.proname,
         regexp_replace(
           regexp_replace(
             regexp_replace(p.prosrc, '--[^\n]*', '', 'g'),
             '''([^'']|'''')*''', '''''', 'g'
           ),
           'distinct from', '<>', 'g'
         ) as body
    from pg_proc as p
   where p.pronamespace = 'upload_pipeline'::regnamespace;

select cmp_ok((select count(*) from body where body ~ 'select'), '>', 20::bigint, 'the query finds the bodies');
select is_empty($$select function from body where body ~* '\mexecute\M'$$, 'no function uses dynamic SQL');
select is_empty(
  $$select function from body where body ~* 'select\s+\*' or body ~* '\m\w+\.\*(?!\s+into\M)'$$,
  'no function uses select *, except into a variable of the row type'
);
select is_empty(
  $$select function
      from body
     where body ~* '\m(set_config|listen|notify)\M'
        or body ~* '\mcurrent_setting\M' and proname <> 'check_isolation'
        or body ~* '\mcreate\s+temp' or body ~* '\mpg_(try_)?advisory_lock\M' or body ~* '^\s*set\s'$$,
  'no function uses session state; one reads the isolation of its transaction'
);
select is_empty(
  $$select function
      from body
     where proname not in ('clock', 'uuid7')
       and body ~* '\m(now|clock_timestamp|statement_timestamp|transaction_timestamp|current_timestamp|localtimestamp|current_date|timeofday)\M'$$,
  'no function reads the time except by clock()'
);
select is_empty(
  $$select function from body where body ~* '\m(from|join|into|update)\s+(?!upload_pipeline\.|pg_catalog\.|only\M)[a-z_]+\.[a-z_]'$$,
  'no function reads or writes another schema'
);

select * from finish();
rollback;
