begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(15);

select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.make_job('held');
select pg_temp.make_job('lost');
select pg_temp.make_job('lost too');
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = '2026-01-01 13:30:00+00'
 where job_id = pg_temp.job('held');
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = '2026-01-01 12:30:00+00'
 where job_id in (pg_temp.job('lost'), pg_temp.job('lost too'));
select pg_temp.make_job('ready');
select pg_temp.receive_event(delivery_id => 'd0', code => 'parse_ready', job_id => pg_temp.job('ready'));
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('ready'), content => 'one');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('ready'), content => 'two');
update upload_pipeline.contents set tries = 4 where ordinal = 2;
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('ready'), content => '{}', recognised => false);
select pg_temp.make_job('gone');
select upload_pipeline.erase_document(document_id => pg_temp.document('gone'));
select pg_temp.make_job('done');
select upload_pipeline.cancel_job(job_id => pg_temp.job('done'));
select pg_temp.set_clock('2026-01-01 12:30:00+00');
select pg_temp.receive_event(delivery_id => 'd4', code => 'parse_ready', parse_job_id => 'p1');
select pg_temp.set_clock('2026-01-01 12:55:00+00');
select pg_temp.receive_event(delivery_id => 'd5', code => 'parse_ready', parse_job_id => 'p2');
select pg_temp.make_job('new', confirmed => false);
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind, run_after, tries, done_at, result, last_error, requested_at)
values ('llamacloud', 'p1', 'cancel', '2026-01-01 12:50+00', 0, null, null, null, '2026-01-01 12:50+00'),
       ('llamacloud', 'p2', 'delete', '2026-01-01 12:49+00', 0, null, null, null, '2026-01-01 12:49+00'),
       ('docling', 'p3', 'delete', null, 1, null, null, 'provider_refused', '2026-01-01 12:00+00'),
       ('docling', 'p4', 'delete', null, 9, now(), 'done', null, '2026-01-01 11:00+00');
select pg_temp.set_clock('2026-01-01 13:00:00+00');

select results_eq(
  format('select waiting, leased, lease_expired, overdue, oldest from upload_pipeline.queue_health where queue = %L', queue),
  format('values (%s::bigint, %s::bigint, %s::bigint, %s::bigint, %L::interval)', waiting, leased, expired, overdue, oldest),
  'queue_health counts ' || queue
)
  from (values
    ('uploaded', 4, 3, 2, 0, '1 hour'),
    ('parse_queued', 0, 0, 0, 0, null),
    ('parse_ready', 1, 0, 0, 0, '1 hour'),
    ('parsed', 0, 0, 0, 0, null),
    ('content: to store', 2, 0, 0, 1, '1 hour'),
    ('content: to decide', 1, 0, 0, 1, '1 hour'),
    ('delivery: parked', 2, 0, 0, 1, '30 minutes'),
    ('object: to delete', 1, 0, 0, 0, '1 hour'),
    ('provider: requests', 3, 0, 0, 2, '1 hour'),
    ('source: llamaparse', 0, 0, 0, 0, '5 minutes')
  ) as h (queue, waiting, leased, expired, overdue, oldest);
select is((select count(*) from upload_pipeline.queue_health), 12::bigint, 'there are no other rows');
select pg_temp.set_clock('2026-01-01 13:05+00');
select is(
  (select overdue from upload_pipeline.queue_health where queue = 'uploaded'), 0::bigint,
  'a worker has five minutes to come'
);
select pg_temp.set_clock('2026-01-01 13:05:00.001+00');
select is(
  (select overdue from upload_pipeline.queue_health where queue = 'uploaded'), 3::bigint,
  'a job past its deadline is counted as overdue'
);
select is(
  (select count(*) from upload_pipeline.job_overview where overdue), 4::bigint,
  'job_overview shows which jobs are overdue'
);
select is(
  (select overdue from upload_pipeline.job_overview where job_id = pg_temp.job('done')), null, 'a job without a deadline is not overdue'
);

select * from finish();
rollback;
