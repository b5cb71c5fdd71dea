begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../credits.psql
select plan(10);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a'), pg_temp.make_job('b'), pg_temp.make_job('c');
select pg_temp.claim();
select pg_temp.reserve('a', 1), pg_temp.reserve('b', 2), pg_temp.reserve('c', 3);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.settle('c', 3);

create function pg_temp.open(batch integer default 50) returns setof text
language sql as $$
  select format('%s %s %s %s', n.name, r.attempt, r.reserved, array_to_string(r.parse_job_ids, '+'))
    from upload_pipeline.claim_reservations(batch => open.batch) as r
    join named_jobs as n on n.job_id = r.job_id
$$;
select is_empty('select pg_temp.open()', 'no reservation is claimed at first');
select pg_temp.set_clock('2026-01-01 12:10+00');
select is(
  (select count(*) from pg_temp.open(1)), 1::bigint, 'after ten minutes they are claimed, no more than the batch'
);
select is((select count(*) from pg_temp.open()), 1::bigint, 'each reservation is claimed by one caller');
select pg_temp.set_clock('2026-01-01 12:20+00');
select bag_eq(
  'select pg_temp.open()', $$values ('a 1 1 p1'), ('b 1 2 ')$$,
  'ten minutes later both are claimed again, with their provider jobs'
);
select pg_temp.settle('a', 1);
select pg_temp.set_clock('2026-01-01 12:30+00');
select bag_eq('select pg_temp.open(null)', $$values ('b 1 2 ')$$, 'a settled reservation is not claimed again');
select upload_pipeline.erase_document(document_id => pg_temp.document('b'));
select is(pg_temp.settle('b', 2), 'applied', 'a reservation of an erased document can be settled');

-- A new cap adds up the reservations of this month.
select upload_pipeline.purge(older_than => '0', least_age => '0');
select is(
  (select count(*) from upload_pipeline.credit_reservations), 3::bigint, 'purge keeps the reservations of this month'
);
select pg_temp.make_job('d');
select pg_temp.claim();
select pg_temp.reserve('d', 4);
select pg_temp.set_clock('2026-02-01 00:00:00.001+00');
select upload_pipeline.purge(older_than => interval '31 days', least_age => '0');
select is(
  (select count(*) from upload_pipeline.credit_reservations), 4::bigint,
  'purge keeps reservations of the last month that are not old enough'
);
select upload_pipeline.purge(older_than => '0', least_age => '0', batch => 2);
select is(
  (select count(*) from upload_pipeline.credit_reservations), 2::bigint,
  'purge deletes settled reservations of the last month, in batches'
);
select upload_pipeline.purge(older_than => '0', least_age => '0');
select is((select reserved from upload_pipeline.credit_reservations), 4::numeric, 'purge keeps open reservations');

select * from finish();
rollback;
