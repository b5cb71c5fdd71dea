begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a', attempt => 2);
select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', attempt => 1, parse_job_id => 'p1', recognised => false
  )),
  'stale uploaded 4', 'the same bytes arrive late for attempt 1'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 5 event #1 + .md', 'finishing them is still applied for attempt 2'
);
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'stale a x1, applied a x1 #1',
  'so no delivery waits for an operator'
);

select * from finish();
rollback;
