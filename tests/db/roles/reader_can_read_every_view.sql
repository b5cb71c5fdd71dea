begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan((select count(*)::integer from pg_views where schemaname = 'upload_pipeline'));

select pg_temp.make_job('a');
select lives_ok(
  format(
    'do $do$ begin set local role hookline_reader; perform * from upload_pipeline.%I; reset role; end $do$', viewname
  ),
  'a reader can read ' || viewname
)
  from pg_views
 where schemaname = 'upload_pipeline'
 order by viewname;

select * from finish();
rollback;
