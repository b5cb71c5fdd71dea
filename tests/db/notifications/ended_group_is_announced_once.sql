begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(15);

-- What a claim gives of groups: 'g 2: 1 complete, 1 failed, 0 cancelled'; null for none. Each is taken at once.
create function pg_temp.told() returns text
language sql volatile as $$
  with claimed as materialized (
    select * from upload_pipeline.claim_notifications(batch => 100)
  ), finished as materialized (
    select f.event_id
      from upload_pipeline.finish_notifications(
        array(select event_id from claimed), array(select lease_token from claimed),
        array(select null::text from claimed), array(select null::interval from claimed), array(select false from claimed)
      ) as f
  )
  select string_agg(
           format('%s %s: %s complete, %s failed, %s cancelled', n.name, c.counts ->> 'total', c.counts ->> 'complete',
                  c.counts ->> 'failed', c.counts ->> 'cancelled'), '; ' order by n.name)
    from claimed as c
    join unnest(array['early', 'g', 'empty', 'erased']) as n (name) on pg_temp.owner(n.name) = c.group_id
   where c.job_id is null
     and c.owner_id = pg_temp.owner('ada')
     and exists (select from finished as f where f.event_id = c.event_id)
$$;

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('early', group_id => pg_temp.owner('early'));
select upload_pipeline.close_group(group_id => pg_temp.owner('early'));
select upload_pipeline.start_announcing();
select upload_pipeline.cancel_job(job_id => pg_temp.job('early'));
select is(pg_temp.told(), null, 'a group that was closed while announcements were off is not announced');

select pg_temp.make_job(name, group_id => pg_temp.owner('g')) from unnest(array['a', 'b']) as name;
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('b'));
select is(pg_temp.told(), null, 'a group that is open is not announced, even if all its jobs are finished');
select pg_temp.make_job('c', group_id => pg_temp.owner('g'));
select is(upload_pipeline.close_group(group_id => pg_temp.owner('g')), 1::bigint, 'one job is unfinished when it is closed');
select is(pg_temp.told(), null, 'a closed group with an unfinished job is not announced');
select is(
  (select g.check_after from upload_pipeline.job_groups as g where g.group_id = pg_temp.owner('g')),
  '2026-01-01 12:00:01+00'::timestamptz, 'it is looked at again a second later'
);
select pg_temp.set_clock('2026-01-01 12:10+00');
select pg_temp.told();
select is(
  (select g.check_after from upload_pipeline.job_groups as g where g.group_id = pg_temp.owner('g')),
  '2026-01-01 12:10:30+00'::timestamptz, 'and later every 30 seconds'
);
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('c'));
select is(pg_temp.told(), null, 'a step writes nothing for the group');
select pg_temp.set_clock('2026-01-01 12:10:30+00');
select is(pg_temp.told(), 'g 3: 0 complete, 1 failed, 2 cancelled', 'the next look announces it');
select results_eq(
  $$select n.state, n.status, n.job_id, n.occurred_at from upload_pipeline.notification_log as n
     where n.group_id = pg_temp.owner('g')$$,
  $$values ('taken', null, null::uuid, '2026-01-01 12:10:30+00'::timestamptz)$$, 'notification_log shows it'
);

select upload_pipeline.retry_job(job_id => pg_temp.job('c'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('c'));
select upload_pipeline.close_group(group_id => pg_temp.owner('g'));
select pg_temp.set_clock('2026-01-02 12:00+00');
select is(pg_temp.told(), null, 'a job that is retried and ends again does not announce it again');
select upload_pipeline.retry_notifications(
  event_id => (select n.event_id from upload_pipeline.notifications as n where n.group_id = pg_temp.owner('g'))
);
select is(pg_temp.told(), 'g 3: 0 complete, 1 failed, 2 cancelled', 'sent again it says the same, whatever came since');

-- The only job of the group was a duplicate, so it has none.
select pg_temp.make_job('d');
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'd.pdf', mime => '', bytes_len => 1, file_sha256 => pg_temp.sha('d'),
  raw_path => 'storage://raw/ada/d.pdf', group_id => pg_temp.owner('empty')
);
select upload_pipeline.close_group(group_id => pg_temp.owner('empty'));
select is(pg_temp.told(), 'empty 0: 0 complete, 0 failed, 0 cancelled', 'a group of duplicates has ended when it is closed');

select pg_temp.make_job(name, group_id => pg_temp.owner('erased')) from unnest(array['e', 'f']) as name;
select upload_pipeline.cancel_job(job_id => pg_temp.job('e'));
select upload_pipeline.close_group(group_id => pg_temp.owner('erased'));
select upload_pipeline.erase_document(document_id => pg_temp.document('f'));
select is(pg_temp.told(), 'erased 1: 0 complete, 0 failed, 1 cancelled', 'an erased job holds up no group');

select pg_temp.make_job('h', group_id => pg_temp.owner('h'));
select upload_pipeline.close_group(group_id => pg_temp.owner('h'));
select upload_pipeline.stop_announcing(discard => true);
select is(
  (select g.check_after from upload_pipeline.job_groups as g where g.group_id = pg_temp.owner('h')), null,
  'what is discarded is no longer looked at'
);
select is(
  (select count(*) from upload_pipeline.notifications as n where n.group_id is not null), 3::bigint,
  'each group has one notification'
);

select * from finish();
rollback;
