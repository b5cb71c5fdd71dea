begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(14);

select pg_temp.set_clock('2026-01-31 12:34:56+00');
select pg_temp.make_job('a'), pg_temp.make_job('b'), pg_temp.make_job('c', owner => 'bob');
select pg_temp.claim();
select is(pg_temp.reserve('a', 1000000), 'applied 1: 1000000', 'without a cap any reservation is accepted');
select pg_temp.settle('a', 0);
select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner('ada'), period => 'day', credits => 10);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'hour', credits => 15);
select is(pg_temp.reserve('a', 10), 'applied 1: 10', 'a reservation up to the cap is accepted');

-- SQLSTATE, message and detail of a refusal.
create function pg_temp.refusal(name text, credits numeric) returns text
language plpgsql as $$
declare
  v_detail text;
begin
  return pg_temp.reserve(refusal.name, refusal.credits);
exception
  when sqlstate 'UP005' then
    get stacked diagnostics v_detail = pg_exception_detail;
    return sqlerrm || ' ' || v_detail;
end;
$$;
set local timezone = 'Asia/Tokyo';
select is(
  pg_temp.refusal('b', 0.001),
  format(
    '0.001 credits of llamacloud would exceed the cap of 10 a day Left for owner %s: 0 until 2026-02-01 00:00:00Z.', pg_temp.owner('ada')
  ),
  'the refusal of an owner''s cap says what is left and until when'
);
select is(pg_temp.used('ada'), 10::numeric, 'the refusal leaves what is used unchanged');
select is(
  (select count(*) from upload_pipeline.credit_reservations where settled_at is null), 1::bigint,
  'the refusal makes no reservation'
);
select is(
  pg_temp.refusal('c', 6), '6 credits of llamacloud would exceed the cap of 15 a hour Left for all owners: 5 until 2026-01-31 13:00:00Z.',
  'the refusal of the cap for all owners says what is left and until when'
);
select is(pg_temp.refusal('c', 5), 'applied 1: 5', 'what is left can be reserved');
select is(
  pg_temp.used(period => 'hour') || ' ' || pg_temp.used('ada'), '15 10', 'each cap counts the reservations in its scope'
);
select is(pg_temp.used('bob'), null, 'an owner without a cap is not in credit_status');

select throws_ok(format('select pg_temp.reserve(%L, %s)', 'b', credits), 'UP006', null, 'a reservation is refused for credits ' || credits)
  from unnest(array['null', '-1', '''NaN''', '''Infinity''']) as credits;
select is(pg_temp.refusal('b', 0), 'applied 1: 0', 'a reservation of 0 credits is accepted when a cap is used up');

select * from finish();
rollback;
