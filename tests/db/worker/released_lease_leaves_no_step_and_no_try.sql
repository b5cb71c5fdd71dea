begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.claim();
select lives_ok(
  $$select upload_pipeline.release_lease(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'))$$,
  'release_lease is accepted'
);
select results_eq(
  'select leased_by, leased_until, version, last_error from upload_pipeline.job_overview',
  'values (null::text, null::timestamptz, 2, null::jsonb)', 'it is no step and no failed try'
);
select is(pg_temp.claim(), 'a', 'another claim gets the job at once');
select is((select count(*) from upload_pipeline.events), 2::bigint, 'no event is inserted');

select * from finish();
rollback;
