begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1');
-- As a worker's retry does. An operator's retry is refused while content waits.
update upload_pipeline.upload_jobs set attempt = 2;

select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'stale parse_queued 3 #1 + .md', 'finishing content of attempt 1 after a retry is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a', attempt => 2)),
  'kept parse_queued 3 #1 + .md', 'the same content for attempt 2 is kept again at the same path'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'finishing it for attempt 2 is applied'
);
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'stale a x1 #1, applied a x1 #1',
  'the first delivery is stale, the second applied'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
