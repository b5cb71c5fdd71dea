-- The endpoint's role may call receive_event. It must not let a webhook cancel, retry or complete a job.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('a');
create temporary table before as select * from upload_pipeline.upload_jobs;

select throws_ok(
  format('select pg_temp.receive_event(delivery_id => %L, code => %L, job_id => pg_temp.job(%L))', code, code, 'a'),
  'UP006', null, format('receive_event refuses the code %s', code)
)
  from unnest(array['job_cancelled', 'job_released', 'job_retried', 'job_completed', 'upload_confirmed', 'parse_completed']) as code;
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is unchanged');

select * from finish();
rollback;
