begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
-- The first attempt was submitted twice; the second time is not recorded yet.
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1b');
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1b'), 2, 'taken for the current attempt''s'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1b');
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1b'), 1, 'until the submission says'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1b')),
  'stale parse_queued 5', 'its failure is of the attempt that is over'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 2, parse_job_id => 'p1');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', parse_job_id => 'p1')),
  'applied parse_ready 6 event', 'a provider job that its cache gave to both attempts answers the later'
);

select * from finish();
rollback;
