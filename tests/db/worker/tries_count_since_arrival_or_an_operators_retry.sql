begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_parsed_job('a');
select pg_temp.claim('parsed'), pg_temp.fail('a');
select pg_temp.set_clock('2026-01-01 12:01+00');
select pg_temp.claim('parsed'), pg_temp.fail('a');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'), reason => 'mended');
select pg_temp.claim('parsed');
select is(
  pg_temp.fail('a'), 'applied parsed 7 event',
  'the third failure is retried, since it is the first after an operator''s retry'
);
select pg_temp.set_clock('2026-01-01 12:02+00');
select pg_temp.claim('parsed'), pg_temp.fail('a');
select pg_temp.set_clock('2026-01-01 12:03+00');
select pg_temp.claim('parsed');
select is(
  pg_temp.fail('a'), 'applied failed_stage 9 event', 'the third failure after the operator''s retry fails the job'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim('parsed');
select is(pg_temp.fail('a'), 'applied parsed 11 event', 'a retry from the dead letters starts the count again');

select pg_temp.make_job('b');
select pg_temp.claim(), pg_temp.fail('b');
select pg_temp.set_clock('2026-01-01 12:04+00');
select pg_temp.claim(), pg_temp.fail('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('b'));
select pg_temp.claim('parse_ready');
select is(pg_temp.fail('b'), 'applied parse_ready 6 event', 'each status counts its own tries');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
