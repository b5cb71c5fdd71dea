begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_parsed_job('dead'), pg_temp.make_parsed_job('failed'), pg_temp.make_parsed_job('sent');
select pg_temp.make_parsed_job('taken');
select pg_temp.claim_notifications();
select pg_temp.finish_notification('dead', 3, error => 'answered 410', permanent => true);
select pg_temp.finish_notification('failed', 3, error => 'answered 500', pause => '1 hour');
select pg_temp.finish_notification('taken', 3);

select is(upload_pipeline.retry_notifications(), 2::bigint, 'without an id, what is dead or failed is sent again');
select is(
  pg_temp.outbox(), 'dead3 waiting, failed3 waiting, sent3 sending, taken3 taken', 'what is taken or sent now is not'
);
select is(pg_temp.claim_notifications(), 'dead3 failed3', 'they are due at once');
select is(
  (select array_agg(distinct n.tries) from upload_pipeline.notifications as n), array[0], 'their tries count from 0'
);
select is(
  upload_pipeline.retry_notifications((pg_temp.notification('taken', 3)).event_id), 1::bigint,
  'with an id, what is taken is sent again, too'
);
select is(
  upload_pipeline.retry_notifications((pg_temp.notification('sent', 3)).event_id), 0::bigint,
  'what is being sent is left alone'
);
select pg_temp.set_clock('2026-01-01 12:02+00');
select is(
  upload_pipeline.retry_notifications((pg_temp.notification('sent', 3)).event_id), 1::bigint,
  'unless the lease is over'
);
select is(upload_pipeline.retry_notifications(gen_random_uuid()), 0::bigint, 'an unknown id is no error');

select * from finish();
rollback;
