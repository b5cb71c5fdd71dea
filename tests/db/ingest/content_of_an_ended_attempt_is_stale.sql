begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1');
-- As a worker's retry would: an operator's is refused while content waits.
update upload_pipeline.upload_jobs set attempt = 2;

select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'stale parse_queued 3 #1 + .md', 'an end after a retry is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a', attempt => 2)),
  'kept parse_queued 3 #1 + .md', 'the same content, as the new attempt''s, is kept again at its path'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'and taken'
);
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'stale a x1 #1, applied a x1 #1', 'each delivery has its outcome'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'nothing is violated');

select * from finish();
rollback;
