begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('a');
select pg_temp.set_clock('2030-01-01 12:00+00');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_started', parse_job_id => 'p1');
select pg_temp.set_clock('2030-01-01 12:01+00');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', parse_job_id => 'p1', payload => '{"error": "x"}', correlation_id => 'c1');
select pg_temp.set_clock('2030-01-01 12:02+00');
select pg_temp.receive_event(delivery_id => 'd0', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'other', code => 'parse_ready', parse_job_id => 'p2');

select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1')),
  'applied parse_ready 5 event', 'the receipt has the status after all parked deliveries'
);
select results_eq(
  $$select pg_temp.history('a') offset 2$$,
  $$values ('parse_submitted: uploaded > parse_queued, stage_started info'),
           ('parse_failed: parse_queued > failed_parse, stage_error error'),
           ('parse_ready: failed_parse > parse_ready, stage_done info')$$,
  'they are applied in the order of their arrival'
);
select results_eq(
  $$select payload, correlation_id::text from upload_pipeline.events where code = 'parse_failed'$$,
  $$values ('{"error": "x"}'::jsonb, 'c1')$$, 'the event has the payload and correlation id of the delivery'
);
select is(
  pg_temp.delivery('d2') || ', ' || pg_temp.delivery('d1') || ', ' || pg_temp.delivery('d0'),
  'stale a x1, applied a x1, applied a x1', 'each delivery has its outcome and its job'
);
select is(pg_temp.delivery('other'), 'parked - x1', 'a delivery of another provider job stays parked');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd0', code => 'parse_ready', parse_job_id => 'p1')),
  'duplicate parse_ready 5', 'a redelivery is a duplicate'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
