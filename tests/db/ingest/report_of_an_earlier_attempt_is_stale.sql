begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(10);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'stale uploaded 4', 'a failure with the provider job of attempt 1 is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p1')),
  'stale uploaded 4', 'a success that names only that provider job is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd4', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'stale uploaded 4', 'parse_started with that provider job is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd5', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p-new', attempt => 1
  )),
  'stale uploaded 4', 'content of an unrecorded provider job with attempt 1 is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd6', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1')),
  'stale uploaded 4', 'content with that provider job is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd7', job_id => pg_temp.job('a'), content => '# a', attempt => 1)),
  'stale uploaded 4', 'content with attempt 1 is stale'
);
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is unchanged');
select results_eq(
  'select distinct outcome::text, job_id from upload_pipeline.webhook_deliveries',
  $$values ('stale', pg_temp.job('a'))$$, 'each delivery is recorded as stale for that job'
);
select is_empty('select * from upload_pipeline.contents', 'no content is kept');
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs', $$values ('p1', 1)$$,
  'no provider job is recorded for the new attempt'
);

select * from finish();
rollback;
