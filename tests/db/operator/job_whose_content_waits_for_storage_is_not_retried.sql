begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1');

select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))),
  'kept parse_queued 3 #1 + .md', 'its answer is here: nothing to retry, and nothing to pay twice'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'which the drain finishes'
);
select is((select attempt from upload_pipeline.upload_jobs), 1, 'no attempt was counted');
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied parsed 5 event',
  'stored content keeps no job from its rules'
);

select * from finish();
rollback;
