begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p2')),
  'stale parse_queued 3', 'it is stale for an attempt that has a recorded provider job'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('b'), parse_job_id => 'p3')),
  'applied failed_parse 3 event', 'it is applied to an attempt without one: it arrived before record_submission'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('a'))),
  'applied failed_parse 4 event', 'a failure without a provider job is applied'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd4', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p4')),
  'applied failed_parse 6 event', 'a provider job of an earlier attempt does not count'
);

select * from finish();
rollback;
