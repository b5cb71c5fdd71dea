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
  'a clock that was set back does not put an event before the last'
);
select results_eq(
  'select updated_at from upload_pipeline.upload_jobs', $$values (timestamptz '2026-01-01 12:00:00+00')$$, 'nor the job'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'nothing is violated');

select * from finish();
rollback;
