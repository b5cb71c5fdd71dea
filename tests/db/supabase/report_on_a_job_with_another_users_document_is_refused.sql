-- An earlier implementation accepted an event that names the job of user A and the document of user B.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a', owner => 'ada');
select pg_temp.make_job('b', owner => 'bob');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'pb');

select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), document_id => pg_temp.document('b'))$$,
  'UP004', null, 'an event with another user''s document is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', content => '# a', job_id => pg_temp.job('a'), document_id => pg_temp.document('b'))$$,
  'UP004', null, 'content with another user''s document is refused'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'pb')$$,
  'UP004', null, 'an event with another job''s provider job is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd4', content => '# a', job_id => pg_temp.job('a'), parse_job_id => 'pb')$$,
  'UP004', null, 'content with another job''s provider job is refused'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd5', content => '# a', job_id => pg_temp.job('a'), parse_job_id => 'pb', recognised => false)$$,
  'UP004', null, 'content of unknown shape with another job''s provider job is refused'
);
select throws_ok(
  $$insert into upload_pipeline.events (job_id, version, document_id, from_status, to_status, type, severity, code,
      correlation_id, ts)
    values (pg_temp.job('a'), 3, pg_temp.document('b'), 'uploaded', 'failed_parse', 'stage_error', 'error', 'parse_failed', 'c', now())$$,
  '23503', null, 'an event inserted by hand with another document is refused'
);
select is_empty('select * from upload_pipeline.webhook_deliveries', 'no delivery is recorded');
select is(pg_temp.status('a') || ' ' || pg_temp.status('b'), 'uploaded parse_queued', 'no job was moved');

select * from finish();
rollback;
