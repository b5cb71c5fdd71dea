begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
-- Attempt 1 was submitted twice. The second submission is not recorded yet.
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1b');
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1b'), 2, 'a callback of an unrecorded provider job counts for the current attempt'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1b');
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1b'), 1, 'record_submission corrects the attempt'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1b')),
  'stale parse_queued 5', 'a failure of that provider job is stale'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 2, parse_job_id => 'p1');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', parse_job_id => 'p1')),
  'applied parse_ready 6 event', 'a provider job that was recorded for both attempts counts for the later one'
);

select * from finish();
rollback;
