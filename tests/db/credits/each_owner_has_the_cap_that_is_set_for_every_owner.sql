begin;
\ir ../jobs.psql
\ir ../credits.psql
select plan(20);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a'), pg_temp.make_job('b', owner => 'bob'), pg_temp.make_job('c', owner => 'cyd'), pg_temp.make_job('d');
select pg_temp.claim(lease => '1 day');
select pg_temp.reserve('a', 4);

create function pg_temp.each(credits numeric, period text default 'day') returns text
language sql as $$
  select upload_pipeline.set_credit_cap(
    owner_id => null, period => each.period, credits => each.credits, each_owner => true
  )::text
$$;
create function pg_temp.own(owner text, credits numeric) returns text
language sql as $$
  select upload_pipeline.set_credit_cap(owner_id => pg_temp.owner(own.owner), period => 'day', credits => own.credits)::text
$$;
select pg_temp.each(10);
select is(pg_temp.used('ada'), null, 'an owner gets a row with their next reservation');
select throws_ok($$select pg_temp.reserve('d', 7)$$, 'UP005', null, 'what they reserved before counts');
select is(pg_temp.reserve('d', 6), 'applied 1: 6', 'what is left they may have');
select is(pg_temp.used('ada'), 10::numeric, 'their sum');
select is(pg_temp.reserve('b', 10), 'applied 1: 10', 'another owner has as much');
select throws_ok($$select pg_temp.reserve('c', 11)$$, 'UP005', null, 'and not more');
select is(
  (select count(*) from upload_pipeline.credit_status where scope = 'each'), 3::bigint,
  'the amount, and a row for each of the two who reserved'
);
select is_empty($$select from upload_pipeline.credit_status where scope = 'all'$$, 'there is no cap of all together');

-- A cap of their own takes its place.
select pg_temp.own('cyd', 'Infinity');
select is(pg_temp.reserve('c', 1000), 'applied 1: 1000', 'an owner may be exempt');
select pg_temp.settle('c', 11);
select pg_temp.own('cyd', null);
select upload_pipeline.retry_job(job_id => pg_temp.job('c'));
select pg_temp.claim(lease => '1 day');
select throws_ok($$select pg_temp.reserve('c', 1)$$, 'UP005', null, 'until that cap is lifted');

select pg_temp.each(20);
select is(
  (select string_agg(distinct credits::text, ' ') from upload_pipeline.credit_status where scope = 'each'), '20',
  'a new amount is that of every owner'
);
select is(pg_temp.reserve('c', 9), 'applied 2: 9', 'at once');
select is(pg_temp.used('cyd'), 20::numeric, 'the bill of the time before counts');

select pg_temp.set_clock('2026-01-02 00:00+00');
select is(pg_temp.used('ada'), 0::numeric, 'a new day');
select upload_pipeline.purge(older_than => '90 days');
select results_eq(
  $$select owner_id, credits from upload_pipeline.credit_status where scope = 'each'$$,
  'values (null::uuid, 20::numeric)', 'purge takes the sums of the day before'
);
select pg_temp.each(null);
select is_empty('select * from upload_pipeline.credit_status', 'lifted');
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select pg_temp.claim(lease => '1 day');
select is(pg_temp.reserve('b', 1000), 'applied 2: 1000', 'for everybody');

select throws_ok(statement, 'UP006', null, statement)
  from (
    values
      ($$select upload_pipeline.set_credit_cap(pg_temp.owner('ada'), 'day', 1, each_owner => true)$$),
      ($$select upload_pipeline.set_credit_cap(null, 'week', 1, each_owner => true)$$)
  ) as s (statement);
select lives_ok(
  $$select upload_pipeline.set_credit_cap(null, 'day', 1, each_owner => null)$$, 'null is false'
);

select * from finish();
rollback;
