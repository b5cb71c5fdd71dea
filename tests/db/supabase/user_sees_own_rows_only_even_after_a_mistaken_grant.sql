-- The second defence: somebody grants usage of upload_pipeline, and even whole tables, to anon and authenticated.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(44);

select pg_temp.make_job('a', owner => 'ada');
select pg_temp.make_job('b', owner => 'bob');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'pj-1');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a');
insert into upload_pipeline.deletions (path, run_after) values ('storage://parsed/x', now());
insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)
select pg_temp.job(name), 'text', 1, repeat('a', 64), 1, 'storage://parsed/' || name || '.text' from unnest(array['a', 'b']) as name;
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind) values ('acme', 'p', 'cancel');

grant usage on schema upload_pipeline to anon, authenticated;
create temp view relation as
  select c.relname::text collate "default" as relation
    from pg_class as c
   where c.relnamespace = 'upload_pipeline'::regnamespace and c.relkind = 'r';

-- With usage of the schema, only the granted columns can be read.
select results_eq(
  format('select * from pg_temp.answer(%L, pg_temp.claims(''ada''))', statement), array[answer], statement
)
  from (
    values
      ('select string_agg(filename, '' '') from upload_pipeline.documents', 'a.pdf'),
      ('select count(*)::text from upload_pipeline.upload_jobs', '1'),
      ('select count(*)::text from upload_pipeline.events', '3'),
      ('select count(*)::text from upload_pipeline.events where job_id = pg_temp.job(''b'')', '0')
  ) as asked (statement, answer);
select results_eq(
  format('select left(a, 5) from pg_temp.answer(%L, pg_temp.claims(''ada'')) as a', statement), array['42501'],
  statement
)
  from unnest(array[
    'select raw_path from upload_pipeline.documents', 'select file_sha256::text from upload_pipeline.documents',
    'select correlation_id::text from upload_pipeline.upload_jobs',
    'select lease_token::text from upload_pipeline.upload_jobs',
    'select leased_by from upload_pipeline.upload_jobs', 'select payload::text from upload_pipeline.events',
    'select path from upload_pipeline.stored_objects', 'select filename from upload_pipeline.job_overview',
    'select upload_pipeline.cancel_job(job_id => pg_temp.job(''a''))::text'
  ]) as statement;

-- With every privilege on every table, a user sees their own rows of four tables and nothing else.
grant all on all tables in schema upload_pipeline to anon, authenticated;
select results_eq(
  format(
    'select * from pg_temp.answer(''select count(*)::text from upload_pipeline.%s'', pg_temp.claims(''ada''))', relation
  ),
  array[case relation when 'documents' then '1' when 'upload_jobs' then '1' when 'artifacts' then '1' when 'events' then '3' else '0' end],
  relation || ': a user sees their own rows only'
)
  from relation
 order by relation;
select is_empty(
  format('select relation from relation where exists (select from pg_temp.answer(
    format(''select ''''seen'''' from upload_pipeline.%%I'', relation), pg_temp.claims(''ada''), ''anon''))'),
  'anon sees no row of any table'
);
select results_eq(
  format('select a from pg_temp.answer(%L, pg_temp.claims(''ada'')) as a', statement), answer, statement
)
  from (
    values
      ('update upload_pipeline.documents set filename = ''x'' returning filename', array[]::text[]),
      ('delete from upload_pipeline.documents returning filename', array[]::text[]),
      ('delete from upload_pipeline.contents returning path::text', array[]::text[]),
      (
        $$insert into upload_pipeline.statuses (status, description) values ('mine', 'Mine.') returning status$$,
        array['42501 new row violates row-level security policy for table "statuses"']
      )
  ) as attempt (statement, answer);
select is((select count(*) from upload_pipeline.documents), 2::bigint, 'no document was changed or deleted');
select results_eq(
  $$select a from pg_temp.answer('select string_agg(filename, '' '') from hookline_api.my_jobs', pg_temp.claims('bob')) as a$$,
  array['b.pdf'], 'the views still show a user their own jobs'
);

select * from finish();
rollback;
