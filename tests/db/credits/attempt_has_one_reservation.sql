begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(16);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 100);
select pg_temp.make_job('a');
select pg_temp.claim();
select results_eq(
  $$select outcome::text, attempt, reserved, reserved_at
      from upload_pipeline.reserve_credits(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 10)$$,
  $$values ('applied', 1, 10::numeric, timestamptz '2026-01-01 12:00+00')$$, 'the first reservation is applied'
);
select pg_temp.set_clock('2026-01-01 12:05+00');
select results_eq(
  $$select outcome::text, attempt, reserved, reserved_at
      from upload_pipeline.reserve_credits(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 30)$$,
  $$values ('duplicate', 1, 10::numeric, timestamptz '2026-01-01 12:00+00')$$,
  'a second reservation is a duplicate: an earlier try may have submitted the job'
);
select is(pg_temp.used(), 10::numeric, 'the cap counts it once');
select is(
  pg_temp.reserve('a', 30, again => true), 'applied 1: 10', 'again => true reserves once more, with the first amount'
);
select is(pg_temp.used(), 10::numeric, 'the cap still counts it once');
select is(
  (select reserved_at from upload_pipeline.credit_reservations), timestamptz '2026-01-01 12:05+00', 'the reservation has a new time'
);
select is(
  upload_pipeline.settle_credits(
    job_id => pg_temp.job('a'), attempt => 1, credits => 0, reserved_at => '2026-01-01 12:00+00'
  )::text,
  'stale', 'a settlement that names the earlier time is stale'
);
select is(pg_temp.used(), 10::numeric, 'the stale settlement gives nothing back');
select is(pg_temp.settle('a', 4), 'applied', 'the settlement of what was billed is applied');
select is(pg_temp.used(), 4::numeric, 'the rest is given back');
select is(pg_temp.settle('a', 5), 'duplicate', 'a second settlement is a duplicate');
select is(
  pg_temp.settle('a', 5, attempt => 2), 'ignored', 'a settlement for an attempt without a reservation is ignored'
);
select is(
  pg_temp.reserve('a', 7), 'applied 1: 7', 'a later reservation for the same attempt is a row of its own'
);
select is(pg_temp.used(), 11::numeric, 'the cap counts both');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim();
select is(pg_temp.reserve('a', 10), 'applied 2: 10', 'another attempt has its own reservation');
select is(pg_temp.used(), 21::numeric, 'the cap counts the reservations of both attempts');

select * from finish();
rollback;
