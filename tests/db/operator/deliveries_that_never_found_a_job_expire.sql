begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.receive_event(delivery_id => 'ignored', code => null, event_type => 'x');
select pg_temp.receive_event(delivery_id => 'parked', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'again', code => 'parse_ready', parse_job_id => 'p2');
select pg_temp.receive_event(delivery_id => 'stale', code => 'parse_started', job_id => pg_temp.job('a'));
select pg_temp.set_clock('2026-03-01 12:00+00');
select pg_temp.receive_event(delivery_id => 'again', code => 'parse_ready', parse_job_id => 'p2');
select pg_temp.set_clock('2026-04-02 12:00+00');
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => interval '90 days')$$, 'values (0::bigint, 2::bigint)',
  'purge deletes ignored and parked deliveries that were not seen for 90 days'
);
select set_eq(
  'select delivery_id from upload_pipeline.webhook_deliveries', $$values ('again'), ('stale')$$,
  'it keeps a delivery that was seen since, and one that has a job'
);

select * from finish();
rollback;
