-- In an earlier implementation the late write of the provider's id overwrote the result of a fast callback.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('parsed');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('parsed'), content => '# a', parse_job_id => 'p1');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select pg_temp.make_job('ready');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('ready'));
select pg_temp.make_job('failed');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('failed'));
select pg_temp.make_job('cancelled');
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('parsed'), attempt => 1, parse_job_id => 'p1')),
  'stale parsed 3', 'a submission after the job was parsed is stale'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('ready'), attempt => 1, parse_job_id => 'p2')),
  'stale parse_ready 3', 'a submission after the job was ready is stale'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('failed'), attempt => 1, parse_job_id => 'p3')),
  'stale failed_parse 3', 'a submission after the job failed is stale'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('cancelled'), attempt => 1, parse_job_id => 'p4')),
  'stale cancelled 3', 'a submission after the job was cancelled is stale'
);
select results_eq(
  'select * from upload_pipeline.upload_jobs', 'select * from before', 'no job was changed'
);
select is((select count(*) from upload_pipeline.provider_jobs), 4::bigint, 'all four provider jobs are recorded');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd4', code => 'parse_ready', parse_job_id => 'p3')),
  'applied parse_ready 4 event', 'a later success finds its job by the provider job'
);

select * from finish();
rollback;
