begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1', payload => '{"pages": 3}', correlation_id => 'c1'
  )),
  'parked', 'a report that names only an unknown provider job is parked'
);
select is(pg_temp.delivery('d1'), 'parked - x1', 'the delivery is recorded');
select results_eq(
  $$select code, parse_job_id, payload, correlation_id::text from upload_pipeline.delivery_log where delivery_id = 'd1'$$,
  $$values ('parse_ready', 'p1', '{"pages": 3}'::jsonb, 'c1')$$,
  'it is recorded with all that is needed to apply it later'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1')), 'parked',
  'a redelivery is parked again'
);
select is(pg_temp.delivery('d1'), 'parked - x2', 'the redelivery is counted');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
