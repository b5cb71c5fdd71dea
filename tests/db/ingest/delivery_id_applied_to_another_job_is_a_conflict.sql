-- The token in a push URL does not cover the body, so two jobs may receive the same bytes.
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
  'UP007', null, 'an event with the id of another job''s applied event is a conflict'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# c')$$,
  'UP007', null, 'content with the id of another job''s applied content is a conflict'
);
select is(pg_temp.status('b'), 'uploaded', 'the second job is unchanged');

select * from finish();
rollback;
