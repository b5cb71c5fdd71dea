begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'asked', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.claim('parse_ready');
select upload_pipeline.fail_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), permanent => true,
  error => '{"code": "NO_DATA_FOUND_IN_FILE", "error": "The provider found no text."}'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'late', code => 'parse_ready', parse_job_id => 'p1')),
  'stale failed_parse 5', 'a repeated success does not rescue the job that failed after the first one'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'later', code => 'parse_partial', parse_job_id => 'p1')),
  'stale failed_parse 5', 'nor does the success with another code'
);
select is((select count(*) from upload_pipeline.events), 5::bigint, 'they insert no event');

select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p2');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'news', code => 'parse_ready', parse_job_id => 'p2')),
  'applied parse_ready 6 event', 'the success of another provider job rescues the job'
);

select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p3');
select pg_temp.receive_event(
  delivery_id => 'cancelled', code => 'parse_cancelled', parse_job_id => 'p3', payload => '{"error": "x"}'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'success', code => 'parse_ready', parse_job_id => 'p3')),
  'applied parse_ready 5 event', 'a success after a reported failure rescues the job'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
