begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(7);

-- One row for each `raise exception`, with the text up to the next one.
create temp view error as
  select p.oid::regprocedure::text as function, substring(r.body, $$errcode = '([^']*)'$$) as sqlstate, r.body
    from pg_proc as p,
         regexp_split_to_table(p.prosrc, 'raise\s+exception') with ordinality as r (body, number)
   where p.pronamespace = 'upload_pipeline'::regnamespace
     and r.number > 1;

select cmp_ok((select count(*) from error), '>', 20::bigint, 'the query finds the errors');
select is_empty(
  $$select function, sqlstate
      from error
     where not exists (select from upload_pipeline.error_codes as c where c.sqlstate = error.sqlstate)$$,
  'each error has a SQLSTATE of error_codes'
);
select is_empty(
  $$select function, left(body, 60)
      from error
     where body !~ 'using\s+errcode = ''UP\d{3}'',\s+detail = .*,\s+hint = '$$,
  'each error has a detail and a hint'
);
select is_empty(
  $$select function, left(body, 60) from error where body !~ '^\s*''[^'']*%'$$,
  'the message of each error contains values'
);
select bag_eq(
  $$select p.proname::text, substring(p.prosrc from '(?n)raise (?!exception).*')
      from pg_proc as p
     where p.pronamespace = 'upload_pipeline'::regnamespace
       and p.prosrc ~* 'raise\s+(?!exception)'$$,
  $$values ('broadcast_event', 'raise warning ''event % of job % was not broadcast: %'', new.version, new.job_id, sqlerrm;')$$,
  'nothing else is raised, except the warning of broadcast_event'
);
select is_empty(
  $$select f.function, c.code
      from (
        select p.oid::regprocedure as function, obj_description(p.oid, 'pg_proc') as comment
          from pg_proc as p
         where p.pronamespace in ('upload_pipeline'::regnamespace, 'hookline_api'::regnamespace)
      ) as f,
      regexp_matches(f.comment, 'UP\d{3}', 'g') as c (code)
     where not exists (select from upload_pipeline.error_codes as e where e.sqlstate = c.code[1])$$,
  'no comment promises an error that is not in error_codes'
);
select is_empty(
  $$select e.function, e.sqlstate
      from error as e
     where coalesce(obj_description(e.function::regprocedure, 'pg_proc'), '') !~ e.sqlstate$$,
  'the comment of each function names the errors that it raises'
);

select * from finish();
rollback;
