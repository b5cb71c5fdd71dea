begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1', payload => '{"pages": 3}', correlation_id => 'c1'
  )),
  'parked', 'nothing is known of it but the provider job'
);
select is(pg_temp.delivery('d1'), 'parked - x1', 'it is written down');
select results_eq(
  $$select code, parse_job_id, payload, correlation_id::text from upload_pipeline.delivery_log where delivery_id = 'd1'$$,
  $$values ('parse_ready', 'p1', '{"pages": 3}'::jsonb, 'c1')$$, 'with all that applying it later needs'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1')), 'parked', 'again'
);
select is(pg_temp.delivery('d1'), 'parked - x2', 'counted');
select is_empty('select * from upload_pipeline.check_integrity()', 'which is healthy');

select * from finish();
rollback;
