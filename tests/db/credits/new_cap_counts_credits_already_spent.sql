begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(14);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a'), pg_temp.make_job('b'), pg_temp.make_job('c', owner => 'bob');
select pg_temp.claim(lease => '1 day');
select pg_temp.reserve('a', 10), pg_temp.reserve('b', 20), pg_temp.reserve('c', 30);
select pg_temp.settle('a', 1);
select pg_temp.set_clock('2026-01-01 13:00+00');

create function pg_temp.cap(credits numeric, owner text default null, period text default 'day') returns text
language sql as $$
  select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner(cap.owner), period => cap.period, credits => cap.credits)::text
$$;
select pg_temp.cap(100), pg_temp.cap(100, 'ada'), pg_temp.cap(100, period => 'hour');
select is(
  pg_temp.used() || ' ' || pg_temp.used('ada'), '51 21',
  'a new cap counts what was billed, or else reserved, in its window'
);
select is(pg_temp.used(period => 'hour'), 0::numeric, 'a new hourly cap counts nothing of the hour before');
select pg_temp.cap(40);
select results_eq(
  $$select credits, used, remaining from upload_pipeline.credit_status where owner_id is null and period = 'day'$$,
  'values (40::numeric, 51::numeric, 0::numeric)', 'a cap may be set below what is spent'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim();
select throws_ok($$select pg_temp.reserve('a', 1)$$, 'UP005', null, 'then a reservation is refused');
select pg_temp.settle('c', 2);
select is(pg_temp.used(), 23::numeric, 'a settlement reduces what is used');
select is(pg_temp.reserve('a', 17), 'applied 2: 17', 'credits that were given back can be reserved');
select is(
  (select count(*) from upload_pipeline.credit_caps where period = 'day'), 2::bigint, 'there is one cap for each owner and period'
);
select pg_temp.cap(null);
select is(pg_temp.used(), null, 'credits => null removes the cap');
select is(pg_temp.used('ada'), 38::numeric, 'the cap of an owner stays');

select throws_ok(
  format('select upload_pipeline.set_credit_cap(owner_id => null, period => %s, credits => %s)', period, credits), 'UP006', null,
  format('a cap of %s in the period %s is refused', credits, period)
)
  from (values ('''week''', '1'), ('null', '1'), ('''day''', '-1'), ('''day''', '''NaN'''), ('''DAY''', '1')) as c (period, credits);

select * from finish();
rollback;
