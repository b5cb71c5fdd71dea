begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
create function pg_temp.defer(until text default null) returns text
language sql as $$
  select pg_temp.summary(upload_pipeline.defer_job(
    job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), until => defer.until::timestamptz,
    error => '{"code": "rate_limited", "error": "Slow down."}'
  ))
$$;
create temp view pause as
  select extract(epoch from run_after - upload_pipeline.clock()) as seconds from upload_pipeline.upload_jobs;

select pg_temp.claim();
select is(pg_temp.defer(), 'applied uploaded 3 event', 'the receipt of a deferral says applied and the same status');
select results_eq(
  $$select code, type::text, severity::text, payload ->> 'leased_by' from upload_pipeline.events where version = 3$$,
  $$values ('stage_deferred', 'retry', 'info', 'w')$$, 'the deferral has its event'
);
select is(
  (select last_error ->> 'code' from upload_pipeline.job_overview), 'rate_limited', 'last_error has the reason'
);
select ok((select seconds between 2.25 and 3.75 from pause), 'the first backoff is 3 s with 25 % jitter');
select pg_temp.set_clock('2026-01-01 12:01+00');
select pg_temp.claim(), pg_temp.defer();
select ok((select seconds between 4.5 and 7.5 from pause), 'the second backoff is twice as long');
select pg_temp.set_clock('2026-01-01 12:02+00');
select pg_temp.claim();
select throws_ok(
  $$select pg_temp.defer('2026-02-01 12:02:00.001+00')$$, 'UP006', null, 'a deferral of more than 31 days is refused'
);
select throws_ok($$select pg_temp.defer('infinity')$$, 'UP006', null, 'a deferral until infinity is refused');
select pg_temp.defer('2026-02-01 12:02:00+00');
select is((select seconds from pause), 31 * 86400::numeric, 'a deferral until a given time uses that time');
update upload_pipeline.upload_jobs set run_after = upload_pipeline.clock();
select pg_temp.claim(), pg_temp.defer('-infinity');
select is(
  (select seconds from pause), 0::numeric, 'a time in the past counts as now, so the job does not overtake others'
);
select pg_temp.claim();
select is(pg_temp.fail('a'), 'applied uploaded 7 event', 'the first failure after four deferrals is retried');
select ok((select seconds between 2.25 and 3.75 from pause), 'its backoff is that of the first try');
select pg_temp.set_clock('2026-01-01 12:03+00');
select pg_temp.claim(), pg_temp.fail('a');
select is(pg_temp.status('a'), 'uploaded', 'the second failure is retried too');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
