begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1');

select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))),
  'kept parse_queued 3 #1 + .md', 'retry_job answers `kept`: the result is here, and a retry would be paid twice'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'the waiting content can be finished'
);
select is((select attempt from upload_pipeline.upload_jobs), 1, 'the job is still in its first attempt');
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied parsed 5 event',
  'once the content is stored the job can be retried'
);

select * from finish();
rollback;
