begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('a' || n) from generate_series(1, 40) as n;
select upload_pipeline.cancel_job(job_id => n.job_id) from named_jobs as n;
select is(
  (select count(*) from upload_pipeline.claim_notifications(batch => 100)), 40::bigint, 'the first of each job is claimed'
);
select count(*) from upload_pipeline.finish_notifications(
  array(select n.event_id from upload_pipeline.notifications as n where n.lease_token is not null order by n.event_id),
  array(select n.lease_token from upload_pipeline.notifications as n where n.lease_token is not null order by n.event_id),
  array_fill('answered 500'::text, array[40]), array_fill(interval '1 hour', array[40]), array_fill(false, array[40])
);
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select is_empty('select * from upload_pipeline.claim_notifications()', 'behind those that failed nothing is claimed');
select is(
  (select count(*) from upload_pipeline.notifications as n where n.run_after < '2026-01-01 13:00+00'), 0::bigint,
  'and what waits behind them is not read again before they are due'
);

select * from finish();
rollback;
