begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p2');

select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p2')),
  'stale uploaded 4', 'a late submission of attempt 1 does not queue attempt 2'
);
select is(pg_temp.delivery('d1'), 'stale a x1', 'the delivery that was parked for it is stale');
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs order by 1', $$values ('p1', 1), ('p2', 1)$$,
  'its provider job is recorded for attempt 1'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p2')),
  'stale uploaded 4', 'its failure is stale and does not end attempt 2'
);

select * from finish();
rollback;
