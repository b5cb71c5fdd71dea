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
  $$values ('applied', 1, 10::numeric, timestamptz '2026-01-01 12:00+00')$$, 'reserved'
);
select pg_temp.set_clock('2026-01-01 12:05+00');
select results_eq(
  $$select outcome::text, attempt, reserved, reserved_at
      from upload_pipeline.reserve_credits(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), credits => 30)$$,
  $$values ('duplicate', 1, 10::numeric, timestamptz '2026-01-01 12:00+00')$$,
  'an earlier try got so far: the provider may have it'
);
select is(pg_temp.used(), 10::numeric, 'counted once');
select is(pg_temp.reserve('a', 30, again => true), 'applied 1: 10', 'it had not: once more, for what was reserved');
select is(pg_temp.used(), 10::numeric, 'still counted once');
select is(
  (select reserved_at from upload_pipeline.credit_reservations), timestamptz '2026-01-01 12:05+00', 'at a new time'
);
select is(
  upload_pipeline.settle_credits(
    job_id => pg_temp.job('a'), attempt => 1, credits => 0, reserved_at => '2026-01-01 12:00+00'
  )::text,
  'stale', 'who looked before that does not say that it cost nothing'
);
select is(pg_temp.used(), 10::numeric, 'nothing is given back');
select is(pg_temp.settle('a', 4), 'applied', 'what was billed');
select is(pg_temp.used(), 4::numeric, 'the rest is given back');
select is(pg_temp.settle('a', 5), 'duplicate', 'once');
select is(pg_temp.settle('a', 5, attempt => 2), 'ignored', 'nothing was reserved for another attempt');
select is(pg_temp.reserve('a', 7), 'applied 1: 11', 'more for the same attempt comes on top of what was billed');
select is(pg_temp.used(), 11::numeric, 'also in the cap');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim();
select is(pg_temp.reserve('a', 10), 'applied 2: 10', 'another attempt has its own');
select is(pg_temp.used(), 21::numeric, 'beside the first');

select * from finish();
rollback;
