begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'stale uploaded 4', 'a failure, by its provider job'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p1')),
  'stale uploaded 4', 'a success that names the provider job alone'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('a'), attempt => 1)),
  'stale uploaded 4', 'a success, by its attempt'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd4', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'stale uploaded 4', 'a start'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd5', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p-new', attempt => 1
  )),
  'stale uploaded 4', 'a provider job that nobody recorded, with the attempt proven'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd6', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1')),
  'stale uploaded 4', 'content'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd7', job_id => pg_temp.job('a'), content => '# a', attempt => 1)),
  'stale uploaded 4', 'content, by its attempt'
);
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is as it was');
select results_eq(
  'select distinct outcome::text, job_id from upload_pipeline.webhook_deliveries',
  $$values ('stale', pg_temp.job('a'))$$, 'and each delivery is written down as stale, of the job'
);
select is_empty('select * from upload_pipeline.contents', 'no content was kept');
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs', $$values ('p1', 1)$$,
  'nor a provider job taken for the new attempt''s'
);

select * from finish();
rollback;
