begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('b'), content => '# b')$$, 'UP007', null,
  'a delivery id that was used for kept content of another job is a conflict'
);
select is(pg_temp.delivery('d1'), 'kept a x1 #1', 'the first delivery is unchanged');

select * from finish();
rollback;
