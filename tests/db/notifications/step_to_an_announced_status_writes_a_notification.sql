begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(10);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_parsed_job('before');
select is(pg_temp.outbox(), null, 'while announcements are off, no notification is written');
select results_eq(
  'select upload_pipeline.start_announcing()', $$values ('{cancelled,complete,failed_parse,failed_stage,parsed}'::text[])$$,
  'start_announcing answers what is announced'
);
select upload_pipeline.start_announcing();
select is(
  (select array_agg(distinct s.announced_since) from upload_pipeline.statuses as s where s.announced),
  array['2026-01-01 12:00+00'::timestamptz], 'to start again changes nothing'
);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1');
select is(pg_temp.outbox(), null, 'a step to another status writes none');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select is(pg_temp.outbox(), 'a5 waiting', 'a step to an announced status writes one');
select results_eq(
  $$select n.event_id, n.status, n.code, n.occurred_at, n.tries from upload_pipeline.notification_log as n$$,
  $$select e.event_id, 'parsed', 'parse_completed', e.ts, 0 from upload_pipeline.events as e
     where e.job_id = pg_temp.job('a') and e.version = 5$$,
  'it has the id of its event'
);

select pg_temp.claim('parsed', batch => 10);
select upload_pipeline.release_job(job_id => pg_temp.job('a'));
select is(pg_temp.outbox(), 'a5 waiting', 'a step that keeps an announced status writes none');
select pg_temp.claim('parsed', batch => 10);
select count(*) from upload_pipeline.advance_jobs(
  job_ids => array[pg_temp.job('a')], lease_tokens => array[pg_temp.token('a')], codes => array['job_completed'],
  payloads => array['{}'::jsonb]
);
select is(pg_temp.outbox(), 'a5 waiting, a7 waiting', 'of many jobs moved together, each step writes its own');
select pg_temp.make_job('b'), pg_temp.make_job('c');
select count(*) from upload_pipeline.receive_events(array[
  row('s', 'd3', repeat('0', 64), 'x', 'parse_failed', pg_temp.job('b'), null, 'p3', '{}', null, null),
  row('s', 'd4', repeat('0', 64), 'x', 'parse_started', pg_temp.job('c'), null, 'p4', '{}', null, null)
]::upload_pipeline.delivery[]);
select is(
  pg_temp.outbox(), 'a5 waiting, a7 waiting, b3 waiting',
  'of many deliveries taken together, each that is announced writes one'
);

select upload_pipeline.stop_announcing();
select upload_pipeline.cancel_job(job_id => pg_temp.job('c'));
select is(pg_temp.outbox(), 'a5 waiting, a7 waiting, b3 waiting', 'after stop_announcing no step writes one');

select * from finish();
rollback;
