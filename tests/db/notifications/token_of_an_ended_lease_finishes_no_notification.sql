begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('a');
select pg_temp.claim_notifications(lease => '60 seconds');
create temp table lost as select (pg_temp.notification('a', 3)).lease_token as token;

select pg_temp.set_clock('2026-01-01 12:00:59+00');
select is(pg_temp.claim_notifications(), null, 'during the lease nobody else claims it');
select pg_temp.set_clock('2026-01-01 12:01+00');
select is(pg_temp.claim_notifications(), 'a3', 'after the lease it is claimed again');
select is(
  pg_temp.finish_notification('a', 3, lease_token => (select token from lost)), null,
  'the worker that lost its lease finishes nothing'
);
select is(
  pg_temp.finish_notification('a', 3, error => 'answered 500', lease_token => (select token from lost)), null,
  'nor does it say that a try failed'
);
select is(pg_temp.finish_notification('a', 3), 'taken', 'the worker that has the lease does');
select is((pg_temp.notification('a', 3)).tries, 0, 'a try whose worker was lost counts as none');

select * from finish();
rollback;
