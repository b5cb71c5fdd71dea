begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 11:00:00+00');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select results_eq(
  $$select ts from upload_pipeline.events where version = 3$$, $$values (timestamptz '2026-01-01 12:00:00+00')$$,
  'after the clock is set back, an event gets the time of the last one'
);
select results_eq(
  'select updated_at from upload_pipeline.upload_jobs', $$values (timestamptz '2026-01-01 12:00:00+00')$$,
  'updated_at of the job does not go back either'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
