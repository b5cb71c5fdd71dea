begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select upload_pipeline.set_fallback(provider => 'llamacloud', next_provider => 'reducto');
select pg_temp.make_job('a');
update upload_pipeline.upload_jobs set provider = 'llamacloud';

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1'
  )),
  'applied uploaded 3 event', 'the failure of an unrecorded provider job sends the job to the next provider'
);
select results_eq(
  'select p.parse_job_id, p.attempt, j.attempt
     from upload_pipeline.provider_jobs as p
     join upload_pipeline.upload_jobs as j on j.job_id = p.job_id',
  $$values ('p1', 1, 2)$$, 'its provider job is of attempt 1, and the job is in attempt 2'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1'
  )),
  'stale uploaded 3', 'a late success of that provider job is stale'
);

select * from finish();
rollback;
