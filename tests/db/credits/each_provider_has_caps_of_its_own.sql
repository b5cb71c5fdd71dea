begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(14);

select pg_temp.set_clock('2026-01-01 12:00+00');
-- Reserves credits of a provider with the lease of the job. Returns the outcome.
create function pg_temp.reserve_of(name text, provider text, credits numeric) returns text
language sql as $$
  select r.outcome
    from upload_pipeline.reserve_credits(
      job_id => pg_temp.job(reserve_of.name), lease_token => pg_temp.token(reserve_of.name),
      credits => reserve_of.credits, provider => reserve_of.provider
    ) as r
$$;
create function pg_temp.used_of(provider text, scope text) returns numeric
language sql volatile as $$
  select sum(c.used) from upload_pipeline.credit_status as c
   where c.provider = used_of.provider and c.scope = used_of.scope
$$;

insert into upload_pipeline.providers (provider) values ('acme');
select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.make_job('c');
select pg_temp.claim();
select is(pg_temp.reserve_of('a', 'acme', 5), 'applied', 'credits are reserved of a provider without a cap');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => 10, provider => provider)
  from unnest(array['acme', 'docling']) as provider;
select upload_pipeline.set_credit_cap(
  owner_id => null, period => 'day', credits => 9, each_owner => true, provider => 'docling'
);
select results_eq(
  $$select provider, scope, credits, used from upload_pipeline.credit_status order by provider, scope$$,
  $$values ('acme', 'all', 10::numeric, 5::numeric), ('docling', 'all', 10, 0), ('docling', 'each', 9, 0)$$,
  'a new cap counts what was spent of its own provider'
);
select is(pg_temp.reserve_of('b', 'docling', 7), 'applied', 'the cap of one provider does not count another');
select is(pg_temp.used_of('acme', 'all'), 5::numeric, 'it is charged to no other provider');
select is(pg_temp.used_of('docling', 'all'), 7::numeric, 'it is charged to its own');
select is(pg_temp.used_of('docling', 'each'), 7::numeric, 'the cap for each owner is of its provider, too');
select is_empty(
  $$select from upload_pipeline.credit_status where provider = 'acme' and owner_id is not null$$,
  'an owner has no row of a provider without a cap for each owner'
);
select throws_like(
  $$select pg_temp.reserve_of('c', 'acme', 6)$$, '6 credits of acme would exceed the cap of 10 a day',
  'what exceeds the cap of its provider is refused'
);
select is(
  upload_pipeline.settle_credits(job_id => pg_temp.job('b'), attempt => 1, credits => 2)::text, 'applied', 'settled'
);
select is(pg_temp.used_of('docling', 'all'), 2::numeric, 'the bill corrects the cap of its provider');
select is(pg_temp.used_of('acme', 'all'), 5::numeric, 'and no other');
select set_eq(
  $$select job_id, provider, reserved, billed from upload_pipeline.job_costs$$,
  $$values (pg_temp.job('a'), 'acme', 5::numeric, null::numeric), (pg_temp.job('b'), 'docling', 7, 2)$$,
  'job_costs shows what each job cost, and where'
);
select pg_temp.set_clock('2026-01-01 13:00+00');
select results_eq(
  $$select provider, reserved from upload_pipeline.claim_reservations(providers => array['acme', 'other'])$$,
  $$values ('acme', 5::numeric)$$, 'a worker claims the reservations of its own providers'
);
select upload_pipeline.set_credit_cap(owner_id => null, period => 'day', credits => null, provider => 'acme');
select set_eq(
  $$select provider from upload_pipeline.credit_status$$, array['docling'], 'a cap is removed from its provider alone'
);

select * from finish();
rollback;
