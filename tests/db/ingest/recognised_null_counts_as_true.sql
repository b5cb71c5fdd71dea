begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(1);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', recognised => null)),
  'kept uploaded 2 #1 + .md', 'recognised => null counts as true: the content is kept and has a path'
);

select * from finish();
rollback;
