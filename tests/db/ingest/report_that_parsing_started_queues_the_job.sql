begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'applied parse_queued 3 event', 'parse_started moves the job from uploaded to parse_queued'
);
select results_eq(
  $$select pg_temp.history('a') offset 2$$,
  $$values ('parse_started: uploaded > parse_queued, stage_started info')$$, 'it inserts its event'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'p1')),
  'stale parse_queued 3', 'a second parse_started is stale'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1')),
  'stale parse_queued 3', 'record_submission, which comes later, is stale'
);

select * from finish();
rollback;
