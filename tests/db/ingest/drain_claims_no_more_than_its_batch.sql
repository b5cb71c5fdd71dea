begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => 'first');
-- The planner believes that one row is there, and then there are more.
analyze upload_pipeline.contents;
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.receive_content(delivery_id => 'd' || n, job_id => pg_temp.job('a'), content => convert_to(n::text, 'UTF8'))
  from generate_series(2, 20) as n;
select pg_temp.set_clock('2026-01-01 13:00:00+00');

select is((select string_agg(ordinal::text, ' ') from upload_pipeline.claim_contents()), '1', 'one, the oldest');
select is((select count(*) from upload_pipeline.claim_contents(batch => 5)), 5::bigint, 'five');
select is((select count(*) from upload_pipeline.contents where tries > 0), 6::bigint, 'and the others are untouched');
select is((select count(*) from upload_pipeline.claim_contents(batch => 0)), 1::bigint, 'at least one');
select is((select count(*) from upload_pipeline.claim_contents(batch => null)), 1::bigint, 'one where none is said');
select is((select count(*) from upload_pipeline.claim_contents(batch => 1000)), 12::bigint, 'and all there are');

select * from finish();
rollback;
