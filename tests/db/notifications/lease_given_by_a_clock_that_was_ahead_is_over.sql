begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(9);

-- A server whose clock is a year ahead claims, and puts off what waits behind.
select pg_temp.set_clock('2027-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('a'), pg_temp.make_parsed_job('b');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select is(pg_temp.claim_notifications(), 'a3 b3', 'both are being sent');
create temp table lost as select (pg_temp.notification('b', 3)).lease_token as token;

select pg_temp.set_clock('2026-01-01 12:00+00');
select is(upload_pipeline.retry_notifications((pg_temp.notification('a', 3)).event_id), 1::bigint, 'an operator can send one again');
select is(pg_temp.claim_notifications(), 'a3 b3', 'the clock is right again, and both are claimed');
select is(pg_temp.finish_notification('b', 3, lease_token => (select token from lost)), null, 'who had them before is refused');
select is(pg_temp.finish_notification('a', 3), 'taken', 'who has them now is not');
select is(pg_temp.claim_notifications(), 'a4', 'what was put off behind is claimed, in order');
select is(pg_temp.claim_notifications(), null, 'and nothing twice');

select pg_temp.set_clock('2025-01-01 12:00+00');
select is(upload_pipeline.stop_announcing(discard => true), 2::bigint, 'stop_announcing discards them, too');

-- A pause and a lease of a day are right.
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('c'), pg_temp.make_parsed_job('d');
select pg_temp.claim_notifications(lease => '1 day');
select pg_temp.finish_notification('d', 3, error => 'answered 500', pause => '1 day');
select is(pg_temp.claim_notifications(), null, 'what is put off for a day stays put off');

select * from finish();
rollback;
