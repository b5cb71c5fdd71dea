-- An earlier implementation let late or replayed callbacks overwrite finished jobs.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select upload_pipeline.move_job_or_raise(
  job => upload_pipeline.lock_job(pg_temp.job('a')),
  step => upload_pipeline.resolve_step('parsed', 'job_completed'),
  payload => '{}'
);
select is(pg_temp.status('a'), 'complete', 'the job is complete');
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "late"}')),
  'stale complete 4', 'a late failure is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a')),
  'duplicate complete 4 #1', 'a replayed success is a duplicate'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# other')),
  'stale complete 4', 'other content is stale'
);
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is unchanged');
select throws_ok(
  $$select upload_pipeline.move_job_or_raise(
      job => upload_pipeline.lock_job(pg_temp.job('a')),
      step => upload_pipeline.resolve_step('complete', 'parse_failed'),
      payload => '{}'
    )$$,
  'UP002', null, 'the state machine has no transition from complete to failed_parse'
);
select throws_ok(
  $$update upload_pipeline.upload_jobs set status = 'failed_parse', terminal = true, failed = true, has_content = false,
      version = version + 1, last_error = '{}'$$,
  'UP010', null, 'an update by hand is refused'
);

select * from finish();
rollback;
