begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('A');
select upload_pipeline.record_submission(pg_temp.job('A'), 1, 'task', provider => 'docling');
update upload_pipeline.provider_jobs set recorded_at = '2026-01-01 12:00+00';

set local role hookline_worker;
select is(
  upload_pipeline.submitted_at('docling', 'task'), '2026-01-01 12:00+00'::timestamptz,
  'the time at which it was recorded'
);
select is(upload_pipeline.submitted_at('docling', 'other'), null, 'an unknown one has none');
select is(upload_pipeline.submitted_at('acme', 'task'), null, 'the same id at another provider is another job');

select * from finish();
rollback;
