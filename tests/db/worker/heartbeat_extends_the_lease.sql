begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select pg_temp.claim(lease => '10 minutes');
create temp view held as
  select leased_until from upload_pipeline.upload_jobs where job_id = pg_temp.job('a');

create function pg_temp.beat(lease interval) returns timestamptz
language sql as $$
  select upload_pipeline.heartbeat(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), lease => beat.lease)
$$;
select is(pg_temp.beat('1 minute'), timestamptz '2026-01-01 12:10+00', 'a heartbeat never shortens the lease');
select pg_temp.set_clock('2026-01-01 12:09+00');
select is(pg_temp.beat('5 minutes'), timestamptz '2026-01-01 12:14+00', 'a heartbeat extends the lease from now');
select results_eq(
  'select leased_until from held', $$values (timestamptz '2026-01-01 12:14+00')$$,
  'the row has the new end of the lease'
);
select is(
  upload_pipeline.heartbeat(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a')), timestamptz '2026-01-01 12:14+00',
  'the default extension is one minute'
);
select pg_temp.set_clock('2026-01-01 12:20+00');
select is(
  pg_temp.beat('5 minutes'), timestamptz '2026-01-01 12:25+00', 'an expired lease that was not swept can be extended'
);
select is(pg_temp.claim(), null, 'an extended lease is not claimed');
select throws_ok(format('select pg_temp.beat(%s)', lease), 'UP006', null, 'a heartbeat is refused for a lease of ' || lease)
  from unnest(array['null', '''0.9 s''', '''25 hours''', '''170000000 years''']) as lease;
select is(
  (select count(*) from upload_pipeline.events where job_id = pg_temp.job('a')), 2::bigint, 'heartbeats insert no event'
);

select * from finish();
rollback;
