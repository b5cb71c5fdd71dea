begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(15);

select pg_temp.set_clock('2026-01-31 23:59+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => period, credits => 100) from unnest(array['hour', 'day', 'month']) as period;
select pg_temp.make_job(name) from unnest(array['a', 'b', 'c', 'd']) as name;
select pg_temp.claim(lease => '1 day');
create function pg_temp.all_used() returns text
language sql volatile as $$
  select concat_ws(' ', pg_temp.used(period => 'hour'), pg_temp.used(period => 'day'), pg_temp.used(period => 'month'))
$$;
select pg_temp.reserve('a', 10), pg_temp.reserve('b', 20), pg_temp.reserve('c', 30);
select is(pg_temp.all_used(), '60 60 60', 'each window counts the reservations');
select is(pg_temp.settle('a', 15), 'applied', 'a bill above the reservation is applied');
select is(pg_temp.all_used(), '65 65 65', 'each window counts the bill');
select pg_temp.reserve('d', 35);
select is(pg_temp.settle('d', 50), 'applied', 'a bill that exceeds the cap is applied, since it was spent');
select is(pg_temp.all_used(), '115 115 115', 'each window counts that bill too');

select pg_temp.set_clock('2026-02-01 00:00+00');
select is(pg_temp.all_used(), '0 0 0', 'a new hour, day and month begin with nothing used');
-- Job c was reserved yesterday, was not found at the provider, and is submitted only today.
select is(
  pg_temp.reserve('c', 30, again => true), 'applied 1: 30', 'a reservation of the last window can be made again'
);
select is(pg_temp.all_used(), '30 30 30', 'it counts in the new windows');
select is(pg_temp.settle('b', 5), 'applied', 'a bill for a reservation of the last window is applied');
select is(pg_temp.all_used(), '30 30 30', 'it gives nothing back to the new windows');
select is(pg_temp.settle('c', 1), 'applied', 'a bill for the renewed reservation is applied');
select is(pg_temp.all_used(), '1 1 1', 'it gives the rest back to the new windows');

select pg_temp.set_clock('2026-02-01 00:30+00');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim();
select pg_temp.reserve('a', 10);
select pg_temp.set_clock('2026-02-01 01:00+00');
select pg_temp.reserve('a', 10, again => true);
select is(pg_temp.all_used(), '10 11 11', 'a reservation made again in the same day counts once in that day');
select throws_ok(format('select pg_temp.settle(%L, %s)', 'a', credits), 'UP006', null, 'a settlement is refused for credits ' || credits)
  from unnest(array['null', '''NaN''']) as credits;

select * from finish();
rollback;
