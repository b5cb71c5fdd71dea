begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('b'), content => '# b')$$, 'UP007', null,
  'an id that another job''s kept content came with'
);
select is(pg_temp.delivery('d1'), 'kept a x1 #1', 'stays that job''s');

select * from finish();
rollback;
