begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(5);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('dead'), pg_temp.make_parsed_job('sent'), pg_temp.make_parsed_job('taken');
select pg_temp.claim_notifications();
select pg_temp.finish_notification('dead', 3, error => 'answered 410', permanent => true);
select pg_temp.finish_notification('taken', 3);
select pg_temp.make_parsed_job('waits');

select is(upload_pipeline.stop_announcing(), 0::bigint, 'stop_announcing deletes nothing');
select is(
  pg_temp.outbox(), 'dead3 dead, sent3 sending, taken3 taken, waits3 waiting', 'what waits is still there'
);
select is(upload_pipeline.stop_announcing(discard => true), 2::bigint, 'with discard it deletes what waits or is dead');
select is(pg_temp.outbox(), 'sent3 sending, taken3 taken', 'but not what is being sent');
select is(pg_temp.finish_notification('sent', 3), 'taken', 'which can be finished');

select * from finish();
rollback;
