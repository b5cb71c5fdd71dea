begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(29);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.alert(alert text) returns setof text
language sql volatile as $$
  select format('%s since %s: %s', a.subject, to_char(a.since at time zone 'UTC', 'HH24:MI'), a.detail)
    from upload_pipeline.alerts as a
   where a.alert = alert.alert
$$;
set local timezone = 'Asia/Tokyo';
select is_empty('select * from upload_pipeline.alerts', 'an empty database has no alerts');

select upload_pipeline.pause_stage(status => 'parsed', until => '2026-01-01 13:00+00', reason => 'key revoked');
select is(
  pg_temp.alert('stage_paused'), format('parsed since : Paused by %s until 2026-01-01 13:00:00Z: key revoked', session_user),
  'a paused stage is an alert'
);

select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 10);
select pg_temp.make_job('a');
select pg_temp.claim(lease => '1 hour');
select pg_temp.reserve('a', 8);
select is_empty($$select pg_temp.alert('credits_spent')$$, 'credits used below nine tenths are no alert');
select pg_temp.settle('a', 9);
select is(
  pg_temp.alert('credits_spent'), 'llamacloud: all owners since 00:00: 9 of 10 credits a day are used; the window ends at 2026-01-02 00:00:00Z',
  'credits used above nine tenths are an alert'
);

select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('nobody uploads', confirmed => false);
select pg_temp.make_job('held');
select pg_temp.claim(lease => '10 minutes', worker => 'host-1');
select pg_temp.set_clock('2026-01-01 12:15+00');
select is_empty($$select pg_temp.alert('lease_unswept')$$, 'a lease that expired up to five minutes ago is no alert');
select pg_temp.receive_event(delivery_id => 'd1', code => null);
select pg_temp.set_clock('2026-01-01 12:15:01+00');
select is(
  pg_temp.alert('lease_unswept'), 'host-1 since 12:10: 1 leases have expired and no worker has swept them: is a worker running?',
  'a lease that expired more than five minutes ago is an alert'
);
select pg_temp.set_clock('2026-01-01 12:30+00');
select is_empty($$select pg_temp.alert('source_silent')$$, 'a source that is silent for 15 minutes is no alert');
select pg_temp.set_clock('2026-01-01 12:35:01+00');
select is(
  pg_temp.alert('source_silent'), 'source: llamaparse since 12:15: 1 jobs wait for the provider, and its last webhook came 00:20:01 ago',
  'a source that is silent for longer is an alert'
);
create temp table seen on commit drop as select a.alert from upload_pipeline.alerts as a;
select is(pg_temp.alert('jobs_overdue'), 'parse_queued since 12:30: 1 jobs are past their deadline', 'jobs past their deadline are an alert');
select is(
  pg_temp.alert('work_unclaimed'),
  'uploaded since 12:00: Jobs are due since 2026-01-01 12:00:00Z and no worker has one: does a worker with this stage run?',
  'work that nobody claims for five minutes is an alert'
);
select pg_temp.claim(lease => '1 minute', worker => 'host-2');
select is_empty($$select pg_temp.alert('work_unclaimed')$$, 'while a worker has a job of the stage, it is none');
select upload_pipeline.release_lease(j.job_id, j.lease_token)
  from upload_pipeline.upload_jobs as j
 where j.leased_by = 'host-2';
select pg_temp.set_clock('2026-01-01 13:10+00');
update upload_pipeline.upload_jobs set provider = 'docling' where status = 'uploaded' and upload_confirmed;
select matches(
  pg_temp.alert('provider_unserved'),
  '^docling since 1.:..: Jobs wait for a worker that has the provider docling, and none has claimed for it in 5 minutes$',
  'jobs whose provider no worker has are an alert'
);
insert into seen select a.alert from upload_pipeline.alerts as a;
update upload_pipeline.providers set served_at = '2026-01-01 13:09+00' where provider = 'docling';
select is_empty($$select pg_temp.alert('provider_unserved')$$, 'while a worker claims for the provider, they are none');
update upload_pipeline.upload_jobs set provider = null where provider = 'docling';
select bag_eq(
  $$select pg_temp.alert('jobs_overdue')$$,
  $$values ('parse_queued since 12:30: 1 jobs are past their deadline'), ('uploaded since 13:00: 1 jobs are past their deadline')$$,
  'jobs whose upload is not confirmed are not overdue'
);

select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('held'), content => 'x', recognised => false);
select is(
  pg_temp.alert('content_undecided'),
  'operator since 13:10: 1 contents of unknown shape wait for accept_content or discard_content',
  'content of unknown shape is an alert'
);
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('held'), content => 'y');
update upload_pipeline.contents set tries = 4 where path is not null;
select is(
  pg_temp.alert('content_unstored'), 'storage since 13:10: 1 contents could not be stored in more than 3 tries',
  'content that could not be stored in more than 3 tries is an alert'
);
-- A result that nobody confirmed the upload of, a delivery of an unknown provider job, an object that stays.
select pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('nobody uploads'), content => '# z');
select upload_pipeline.finish_content(job_id => pg_temp.job('nobody uploads'), ordinal => 1);
select pg_temp.receive_event(delivery_id => 'd5', code => 'parse_ready', parse_job_id => 'whose');
insert into upload_pipeline.deletions (path, run_after, tries) values ('storage://raw/x', '2026-01-01', 4);
select pg_temp.set_clock('2026-01-01 13:20:01+00');
select is(
  pg_temp.alert('upload_unconfirmed'),
  'parsed since 13:10: 1 jobs have moved on, but nobody confirmed their upload, so no worker claims them',
  'a result whose upload is not confirmed is an alert'
);
select is(
  pg_temp.alert('delivery_parked'),
  'operator since 13:10: 1 deliveries are parked for more than 10 minutes: nobody knows their provider job',
  'a delivery that is parked for more than 10 minutes is an alert'
);
select is(
  pg_temp.alert('object_undeleted'), 'storage since 13:10: 1 objects could not be deleted in more than 3 tries',
  'an object that could not be deleted in more than 3 tries is an alert'
);
insert into upload_pipeline.provider_requests (provider, parse_job_id, kind, run_after, tries, last_error)
values ('acme', 'p1', 'delete', null, 1, 'provider_refused'), ('acme', 'p2', 'cancel', '2026-01-01 14:00+00', 4, null),
       ('acme', 'p3', 'cancel', '2026-01-01 13:10+00', 0, null), ('acme', 'p4', 'cancel', '2026-01-01 14:00+00', 3, null);
select is(
  pg_temp.alert('provider_request_undone'),
  'acme since 13:20: 3 requests to cancel or delete are not done: 1 were refused, 1 failed more than 3 times, '
    'for 1 no worker came',
  'what a provider was not told is an alert'
);
select upload_pipeline.start_announcing();
select pg_temp.make_job('told');
select upload_pipeline.cancel_job(job_id => pg_temp.job('told'));
select pg_temp.set_clock('2026-01-01 13:30:01+00');
select is_empty($$select pg_temp.alert('notification_unsent')$$, 'a notification that waits for 10 minutes is no alert');
select pg_temp.set_clock('2026-01-01 13:30:02+00');
select is(
  pg_temp.alert('notification_unsent'),
  'application since 13:20: 1 notifications are not taken after 10 minutes; the most frequent error: none, so does a '
  'worker with HOOKLINE_NOTIFY_URL run?', 'one that waits for longer is an alert'
);
update upload_pipeline.notifications set error = 'answered 401', tries = 1;
select pg_temp.make_job('of a group', group_id => pg_temp.owner('g'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('of a group'));
select upload_pipeline.close_group(group_id => pg_temp.owner('g'));
delete from upload_pipeline.notifications where job_id = pg_temp.job('of a group');
select upload_pipeline.claim_notifications();
select pg_temp.set_clock('2026-01-01 13:40:03+00');
select is(
  pg_temp.alert('notification_unsent'),
  'application since 13:20: 2 notifications are not taken after 10 minutes; the most frequent error: answered 401',
  'so is that of a group, and the most frequent error is shown'
);
select pg_temp.set_clock('2026-01-01 13:30:02+00');
delete from upload_pipeline.notifications where group_id is not null;
update upload_pipeline.notifications set lease_token = null;
insert into seen select a.alert from upload_pipeline.alerts as a;
update upload_pipeline.notifications set run_after = null, dead_at = '2026-01-01 13:30+00';
select is(
  pg_temp.alert('notification_dead'),
  'application since 13:30: 1 notifications were given up: the application was not told of these steps',
  'a notification that was given up is an alert'
);
select pg_temp.set_clock('2026-01-01 13:20:01+00');
select pg_temp.make_job('broken');
select pg_temp.receive_event(delivery_id => 'd6', code => 'parse_failed', job_id => pg_temp.job('broken'));
select is_empty($$select pg_temp.alert('dead_letters')$$, 'one dead letter is no alert');
insert into upload_pipeline.activity_counts (span, at, from_status, to_status, code, count)
values ('new', '2026-01-01 13:15+00', 'uploaded', 'failed_parse', 'parse_failed', 9);
select is(
  pg_temp.alert('dead_letters'), 'parse_failed since 13:15: 10 jobs failed for good by parse_failed in the last hour',
  'ten dead letters in an hour are an alert'
);
select upload_pipeline.count_refusals(refusals => '[{"source": "push", "reason": "wrong_token", "count": 9}]');
select is_empty($$select pg_temp.alert('deliveries_refused')$$, 'a few refused deliveries are no alert');
select upload_pipeline.count_refusals(refusals => '[{"source": "push", "reason": "no_match", "count": 1}]');
select is(
  pg_temp.alert('deliveries_refused'), 'push since 13:20: 10 deliveries were refused in the last hour, most of them as wrong_token',
  'ten refused deliveries of a source are an alert'
);
insert into upload_pipeline.activity_counts (span, at, from_status, to_status, code, count)
values ('new', '2026-01-01 13:15+00', 'parsed', 'parsed', 'lease_expired', 3);
select is(
  pg_temp.alert('leases_expiring'), 'parsed since 13:15: 3 leases expired in the last 15 minutes: workers die or hang',
  'leases that expire again and again are an alert'
);
select bag_eq(
  'select alert from seen union select a.alert from upload_pipeline.alerts as a',
  $$select distinct m[1] from regexp_matches(pg_get_viewdef('upload_pipeline.alerts'::regclass), 'SELECT ''(\w+)''', 'g') as m
     where m[1] not in ('stage_incomplete', 'snapshot_held')$$,
  'every alert is tested, here or in incomplete_stage_does_not_stop_other_stages.sql'
);

select * from finish();
rollback;
