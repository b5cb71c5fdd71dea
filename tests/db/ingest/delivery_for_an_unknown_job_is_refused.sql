begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => '00000000-0000-0000-0000-000000000001')$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'receive_event refuses an unknown job'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => '00000000-0000-0000-0000-000000000001', content => '# a')$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'receive_content refuses an unknown job'
);
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => '00000000-0000-0000-0000-000000000001', ordinal => 1)$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'finish_content refuses an unknown job'
);
select is_empty('select * from upload_pipeline.webhook_deliveries', 'no delivery is recorded');

select * from finish();
rollback;
