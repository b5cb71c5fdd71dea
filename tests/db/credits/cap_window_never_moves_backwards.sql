-- A session that waited for the cap's lock over midnight has an earlier time than the cap's window.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(3);

select pg_temp.set_clock('2026-01-02 00:00+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 10);
select pg_temp.make_job('a'), pg_temp.make_job('b');
select pg_temp.claim();
select pg_temp.reserve('a', 8);
select pg_temp.set_clock('2026-01-01 23:59:59+00');
select throws_ok(
  $$select pg_temp.reserve('b', 8)$$, 'UP005', null,
  'a reservation with an earlier clock cannot exceed the current window'
);
select is(pg_temp.reserve('b', 2), 'applied 1: 2', 'it can reserve what is left');
select pg_temp.set_clock('2026-01-02 00:00+00');
select is(pg_temp.used(), 10::numeric, 'the current window counts both reservations');

select * from finish();
rollback;
