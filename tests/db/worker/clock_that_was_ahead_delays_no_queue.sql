begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(14);

create function pg_temp.told_groups() returns bigint
language sql volatile as $$
  select count(*) from upload_pipeline.claim_notifications(batch => 100) as c where c.group_id is not null
$$;
create function pg_temp.deletable() returns bigint
language sql volatile as $$ select count(*) from upload_pipeline.claim_deletions(batch => 100) $$;
create function pg_temp.requests() returns bigint
language sql volatile as $$
  select count(*) from upload_pipeline.claim_provider_requests(provider => 'llamacloud', batch => 100)
$$;
create function pg_temp.unsettled() returns bigint
language sql volatile as $$ select count(*) from upload_pipeline.claim_reservations(batch => 100) $$;
create function pg_temp.parked_until() returns timestamptz
language sql volatile as $$
  select d.check_after from upload_pipeline.webhook_deliveries as d where d.outcome = 'parked'
$$;

-- A server whose clock is a year ahead writes a row of each queue.
select pg_temp.set_clock('2027-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_job('ended', group_id => pg_temp.owner('g'));
select pg_temp.make_job('running', group_id => pg_temp.owner('h'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('ended'));
select upload_pipeline.close_group(group_id => pg_temp.owner('g')), upload_pipeline.close_group(group_id => pg_temp.owner('h'));
select pg_temp.make_job('erased'), pg_temp.make_job('reserved');
select upload_pipeline.record_submission(job_id => pg_temp.job('erased'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.erase_document(document_id => (select document_id from named_jobs where name = 'erased'));
select pg_temp.claim();
select pg_temp.reserve('reserved', 5);
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p9');

select pg_temp.set_clock('2026-01-01 12:00+00');
select is(pg_temp.told_groups(), 1::bigint, 'the group that has ended is announced');
select is(
  (select check_after from upload_pipeline.job_groups where group_id = pg_temp.owner('h')), '2026-01-01 12:00:01+00',
  'the one that goes on is looked at again in a second'
);
select is(pg_temp.told_groups(), 0::bigint, 'and nothing twice');
select is(pg_temp.deletable(), 1::bigint, 'an object is deleted');
select is(pg_temp.deletable(), 0::bigint, 'and not twice');
select is(pg_temp.requests(), 1::bigint, 'a request is sent to its provider');
select is(pg_temp.requests(), 0::bigint, 'and not twice');
select upload_pipeline.apply_parked();
select is(pg_temp.parked_until(), '2026-01-01 12:00:30+00', 'a parked delivery is checked again in half a minute');
select is(pg_temp.unsettled(), 0::bigint, 'a reservation is not settled at once: its job may be submitted just now');
select pg_temp.set_clock('2026-01-01 12:10+00');
select is(pg_temp.unsettled(), 1::bigint, 'but in ten minutes');

-- The longest pauses that a right clock sets.
update upload_pipeline.deletions set run_after = '2026-01-01 12:20+00';
update upload_pipeline.provider_requests set run_after = '2026-01-01 14:10+00';
update upload_pipeline.webhook_deliveries set check_after = '2026-01-02 12:10+00' where outcome = 'parked';
update upload_pipeline.job_groups set check_after = '2026-01-01 12:11+00' where check_after is not null;
select upload_pipeline.apply_parked(), pg_temp.told_groups();
select is(pg_temp.deletable() + pg_temp.requests() + pg_temp.unsettled(), 0::bigint, 'right pauses are left alone');
select is(pg_temp.parked_until(), '2026-01-02 12:10+00', 'also that of a parked delivery');
select is(
  (select max(check_after) from upload_pipeline.job_groups), '2026-01-01 12:11+00', 'and that of a group'
);

update upload_pipeline.webhook_deliveries set first_seen = '2026-01-01 12:00+00';
select pg_temp.set_clock('2026-03-01 12:00+00');
select upload_pipeline.apply_parked();
select is(pg_temp.parked_until(), '2026-03-02 12:00+00', 'a delivery that is parked for long is checked once a day');

select * from finish();
rollback;
