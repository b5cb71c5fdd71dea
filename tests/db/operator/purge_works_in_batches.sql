begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('j' || n) from generate_series(1, 5) as n;
select upload_pipeline.cancel_job(job_id => job_id) from named_jobs;
select pg_temp.receive_event(delivery_id => 'd' || n, code => null, event_type => 'x') from generate_series(1, 3) as n;
select pg_temp.set_clock('2027-01-01 12:00+00');

select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => '90 days', batch => 2)$$, 'values (2::bigint, 2::bigint)',
  'the first call deletes two jobs and two deliveries'
);
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => '90 days', batch => 2)$$, 'values (2::bigint, 1::bigint)',
  'the second call deletes two jobs and one delivery'
);
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => '90 days', batch => 2)$$, 'values (1::bigint, 0::bigint)',
  'the third call deletes the last job'
);
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => '90 days', batch => 2)$$, 'values (0::bigint, 0::bigint)',
  'the fourth call finds nothing'
);
select throws_ok($$select upload_pipeline.purge(older_than => null)$$, 'UP006', null, 'older_than => null is refused');
select throws_ok($$select upload_pipeline.purge(older_than => '-1 day')$$, 'UP006', null, 'a negative age is refused');
select throws_ok(
  $$select upload_pipeline.purge(older_than => '1 day', batch => 0)$$, 'UP006', null, 'a batch of 0 is refused'
);
select throws_ok(
  $$select upload_pipeline.purge(older_than => '1 day', batch => null)$$, 'UP006', null, 'batch => null is refused'
);

select * from finish();
rollback;
