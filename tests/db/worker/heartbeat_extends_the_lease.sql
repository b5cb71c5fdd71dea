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
select is(pg_temp.beat('1 minute'), timestamptz '2026-01-01 12:10+00', 'never shortened');
select pg_temp.set_clock('2026-01-01 12:09+00');
select is(pg_temp.beat('5 minutes'), timestamptz '2026-01-01 12:14+00', 'prolonged from now');
select results_eq('select leased_until from held', $$values (timestamptz '2026-01-01 12:14+00')$$, 'in the row');
select is(
  upload_pipeline.heartbeat(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a')), timestamptz '2026-01-01 12:14+00',
  'a minute unless said otherwise'
);
select pg_temp.set_clock('2026-01-01 12:20+00');
select is(
  pg_temp.beat('5 minutes'), timestamptz '2026-01-01 12:25+00', 'expired and not swept, it is still its holder''s'
);
select is(pg_temp.claim(), null, 'whom no claim takes it from');
select throws_ok(format('select pg_temp.beat(%s)', lease), 'UP006', null, 'not for ' || lease)
  from unnest(array['null', '''0.9 s''', '''25 hours''', '''170000000 years''']) as lease;
select is(
  (select count(*) from upload_pipeline.events where job_id = pg_temp.job('a')), 2::bigint, 'none of it is a step'
);

select * from finish();
rollback;
