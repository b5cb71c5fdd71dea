-- A proof in the URL covers no body: two jobs may be answered with the very same bytes.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select pg_temp.make_job('c');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('c'), content => '# c');
select upload_pipeline.finish_content(job_id => pg_temp.job('c'), ordinal => 1);

select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('b'))$$,
  'UP007', null, 'an event is never answered with the receipt of another job'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# c')$$,
  'UP007', null, 'nor is content'
);
select is(pg_temp.status('b'), 'uploaded', 'the other job stays as it was');

select * from finish();
rollback;
