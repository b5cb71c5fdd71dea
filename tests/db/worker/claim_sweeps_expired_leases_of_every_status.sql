begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('j' || lpad(n::text, 2, '0')) from generate_series(1, 14) as n;
select pg_temp.make_parsed_job('parsed');
select pg_temp.claim('uploaded', batch => 100), pg_temp.claim('parsed');
select pg_temp.make_job('new');
select pg_temp.set_clock('2026-01-01 12:02+00');

select is(pg_temp.claim('parse_ready'), null, 'a claim of a status without jobs returns nothing');
select is(
  (select sum(lease_expired) from upload_pipeline.queue_health), 5::numeric,
  'it sweeps ten of the fifteen expired leases'
);
select is(pg_temp.claim(batch => 1), 'new', 'a claim does not return the jobs that it has swept');
select is((select sum(lease_expired) from upload_pipeline.queue_health), 0::numeric, 'the next claim sweeps the rest');
select is(
  (select count(*) from upload_pipeline.events where code = 'lease_expired'), 15::bigint, 'each lease is swept once'
);
update upload_pipeline.upload_jobs set run_after = '2026-01-01 12:02+00' where lease_token is null;
select pg_temp.claim(batch => 100, lease => '1 s');
select pg_temp.set_clock('2026-01-01 12:03+00');
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:00+00', reason => 'x');
select pg_temp.claim(batch => 100);
select is(
  (select sum(lease_expired) from upload_pipeline.queue_health), 0::numeric,
  'expired leases of a paused status are swept too'
);

select * from finish();
rollback;
