begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(14);

select pg_temp.make_job('a'), pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', parse_job_id => 'p2');

select throws_ok(
  $$select upload_pipeline.settle_parked(parse_job_id => 'p1', job_id => gen_random_uuid())$$, 'UP001', null,
  'the job has to exist'
);
select is(
  pg_temp.summary(upload_pipeline.settle_parked(parse_job_id => 'p1', job_id => pg_temp.job('a'))),
  'applied parse_ready 4', 'the reports are applied to the job that the operator names'
);
select is(
  pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d2'), 'applied a x1, applied a x1', 'in the order of their arrival'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd4', code => 'parse_failed', parse_job_id => 'p1')),
  'applied failed_parse 5 event', 'later reports of the provider job find the job'
);
select throws_ok(
  $$select upload_pipeline.settle_parked(parse_job_id => 'p1', job_id => pg_temp.job('a'))$$, 'UP001', null,
  'nothing is parked for it any more'
);
select pg_temp.receive_event(delivery_id => 'd5', code => 'parse_ready', parse_job_id => 'p3');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p4');
select throws_ok(
  $$select upload_pipeline.settle_parked(parse_job_id => 'p4', job_id => pg_temp.job('a'))$$, 'UP004', null,
  'a provider job of another job is refused'
);

select is(
  pg_temp.summary(upload_pipeline.settle_parked(parse_job_id => 'p2')), 'ignored', 'a provider job may be none of ours'
);
select is(pg_temp.delivery('d3'), 'ignored - x1', 'its delivery is parked no more');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', parse_job_id => 'p2')), 'ignored',
  'its repetition is ignored'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd6', code => 'parse_failed', parse_job_id => 'p2')), 'ignored',
  'so is another report of it'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd7', code => 'parse_ready', parse_job_id => 'p5')), 'parked',
  'a report of another provider job is parked'
);
-- The operator was wrong, and the submission says so.
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p2');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd6', code => 'parse_failed', parse_job_id => 'p2')),
  'applied failed_parse 4 event', 'once the provider job is known, its reports count'
);
select is(
  (select waiting from upload_pipeline.queue_health where queue = 'delivery: parked'), 2::bigint, 'the rest waits'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'no invariant is violated');

select * from finish();
rollback;
