begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a', file => 'f');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select pg_temp.make_job('b', file => 'f');
select throws_ok(
  $$select upload_pipeline.retry_job(job_id => pg_temp.job('a'))$$, 'UP009',
  format('the document of job %s has another job that is not finished', pg_temp.job('a')), 'the error names the job'
);
select is(pg_temp.status('a'), 'failed_parse', 'the failed job is unchanged');
select upload_pipeline.cancel_job(job_id => pg_temp.job('b'));
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied uploaded 4 event',
  'once the newer job has ended, the retry is applied'
);

select * from finish();
rollback;
