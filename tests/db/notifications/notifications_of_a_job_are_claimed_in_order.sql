begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(9);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('a'), pg_temp.make_parsed_job('b');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));

select is(pg_temp.claim_notifications(), 'a3 b3', 'only the first of each job is claimed');
select is(pg_temp.claim_notifications(), null, 'while it is sent, nothing behind it is claimed');
select is(pg_temp.finish_notification('a', 3), 'taken', 'it is taken');
select is(pg_temp.claim_notifications(), 'a4', 'then the next one is claimed at once');
select pg_temp.finish_notification('a', 4);

select pg_temp.finish_notification('b', 3, error => 'answered 500');
select upload_pipeline.cancel_job(job_id => pg_temp.job('b'));
select is(pg_temp.claim_notifications(), null, 'behind one that failed, the next one waits');
select cmp_ok(
  (pg_temp.notification('b', 4)).run_after, '>=', (pg_temp.notification('b', 3)).run_after,
  'as long as the first one does, so that no claim reads it before'
);
select pg_temp.set_clock('2026-01-01 12:01+00');
select is(pg_temp.claim_notifications(), 'b3', 'then the first one comes first');
select pg_temp.finish_notification('b', 3, error => 'answered 410', permanent => true);
select is(pg_temp.claim_notifications(), 'b4', 'after one that is dead, the next one is claimed');
select pg_temp.finish_notification('b', 4);
select is(pg_temp.outbox(), 'a3 taken, a4 taken, b3 dead, b4 taken', 'each is taken or dead');

select * from finish();
rollback;
