begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2027-01-01 12:00+00');
select upload_pipeline.purge(older_than => '90 days');

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1')), 'parked',
  'a webhook that names the provider job is parked'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'))$$,
  'UP001', null,
  'a webhook that names the purged job is refused'
);
select pg_temp.set_clock('2028-01-01 12:00+00');
select is(
  (select deliveries from upload_pipeline.purge(older_than => '90 days')), 1::bigint,
  'a later purge deletes the parked delivery'
);

select * from finish();
rollback;
