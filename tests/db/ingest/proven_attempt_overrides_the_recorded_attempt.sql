begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(1);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));

select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1', attempt => 2
  )),
  'kept uploaded 4 #1 + .md',
  'content with a proven attempt 2 is kept, although the provider job is recorded for attempt 1 (the provider may return a cached job)'
);

select * from finish();
rollback;
