begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.close(name text) returns bigint
language sql as $$ select upload_pipeline.close_group(group_id => pg_temp.owner(name)) $$;
create function pg_temp.status_of(name text) returns text
language sql as $$
  select format('%s: %s = %s + %s + %s, %s unfinished', case when g.ended then 'ended' else 'goes on' end,
                g.total, g.complete, g.failed, g.cancelled, g.unfinished)
    from upload_pipeline.group_status as g
   where g.group_id = pg_temp.owner(name)
$$;

select pg_temp.make_job(name, group_id => pg_temp.owner('g')) from unnest(array['a', 'b', 'c']) as name;
select pg_temp.make_job('alone');
select results_eq(
  'select group_id, owner_id, closed_at from upload_pipeline.group_status',
  $$values (pg_temp.owner('g'), pg_temp.owner('ada'), null::timestamptz)$$, 'the first job of a group makes it'
);
select is(pg_temp.status_of('g'), 'goes on: 3 = 0 + 0 + 0, 3 unfinished', 'its jobs are counted');
select throws_ok(
  $$select pg_temp.make_job('of another', owner => 'bob', group_id => pg_temp.owner('g'))$$, 'UP006',
  format('group %s is not of owner %s', pg_temp.owner('g'), pg_temp.owner('bob')), 'a group has one owner'
);
select is(
  (select j.outcome
     from upload_pipeline.create_job(
       owner_id => pg_temp.owner('ada'), filename => 'a.pdf', mime => '', bytes_len => 1, file_sha256 => pg_temp.sha('alone'),
       raw_path => 'storage://raw/ada/alone.pdf', group_id => pg_temp.owner('g')
     ) as j), 'duplicate', 'an unfinished job of the same file is named'
);
select is(
  (select j.group_id from upload_pipeline.job_overview as j where j.job_id = pg_temp.job('alone')), null,
  'and stays in its own group, or in none'
);

select throws_ok(
  $$select pg_temp.close('nobody')$$, 'UP001', format('unknown group %s', pg_temp.owner('nobody')), 'an unknown group is not closed'
);
select throws_ok('select upload_pipeline.close_group(null)', 'UP001', 'unknown group null', 'nor none');
select is(pg_temp.close('g'), 3::bigint, 'close_group answers how many jobs are unfinished');
select throws_ok(
  $$select pg_temp.make_job('d', group_id => pg_temp.owner('g'))$$, 'UP006',
  format('group %s is closed and takes no new job', pg_temp.owner('g')), 'a closed group takes no new job'
);
select pg_temp.set_clock('2026-01-01 13:00+00');
select pg_temp.close('g');
select is(
  (select g.closed_at from upload_pipeline.group_status as g), '2026-01-01 12:00+00'::timestamptz, 'to close it again changes nothing'
);

select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('b'));
select is(pg_temp.status_of('g'), 'goes on: 3 = 0 + 1 + 1, 1 unfinished', 'a closed group goes on while a job is unfinished');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('c'), content => '# c');
select upload_pipeline.finish_content(job_id => pg_temp.job('c'), ordinal => 1);
select pg_temp.claim('parsed');
select upload_pipeline.advance_job(job_id => pg_temp.job('c'), lease_token => pg_temp.token('c'), code => 'job_completed');
select is(pg_temp.status_of('g'), 'ended: 3 = 1 + 1 + 1, 0 unfinished', 'and has ended when none is');
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select is(pg_temp.status_of('g'), 'goes on: 3 = 1 + 0 + 1, 1 unfinished', 'a failed job that is retried is unfinished again');

select * from finish();
rollback;
