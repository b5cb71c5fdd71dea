begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => 'first');
-- The statistics say one row. Then more rows are added, so that the planner is wrong.
analyze upload_pipeline.contents;
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.receive_content(delivery_id => 'd' || n, job_id => pg_temp.job('a'), content => convert_to(n::text, 'UTF8'))
  from generate_series(2, 20) as n;
select pg_temp.set_clock('2026-01-01 13:00:00+00');

select is(
  (select string_agg(ordinal::text, ' ') from upload_pipeline.claim_contents()), '1',
  'without a batch one content is claimed, the oldest'
);
select is((select count(*) from upload_pipeline.claim_contents(batch => 5)), 5::bigint, 'a batch of 5 claims 5');
select is(
  (select count(*) from upload_pipeline.contents where tries > 0), 6::bigint, 'the other contents are untouched'
);
select is((select count(*) from upload_pipeline.claim_contents(batch => 0)), 1::bigint, 'a batch of 0 claims one');
select is(
  (select count(*) from upload_pipeline.claim_contents(batch => null)), 1::bigint, 'a batch of null claims one'
);
select is(
  (select count(*) from upload_pipeline.claim_contents(batch => 1000)), 12::bigint,
  'a batch of 1000 claims all that are left'
);

select * from finish();
rollback;
