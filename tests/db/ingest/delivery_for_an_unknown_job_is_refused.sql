begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => '00000000-0000-0000-0000-000000000001')$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'an event'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => '00000000-0000-0000-0000-000000000001', content => '# a')$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'content'
);
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => '00000000-0000-0000-0000-000000000001', ordinal => 1)$$,
  'UP001', 'unknown job 00000000-0000-0000-0000-000000000001', 'the end of a content'
);
select is_empty('select * from upload_pipeline.webhook_deliveries', 'nothing is written down');

select * from finish();
rollback;
