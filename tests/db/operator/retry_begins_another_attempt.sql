begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.set_clock('2030-01-01 12:00+00');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "x"}');
select pg_temp.set_clock('2030-01-01 12:05+00');
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'), reason => 'provider was down')),
  'applied uploaded 4 event', 'the receipt says applied and uploaded'
);
select results_eq(
  $$select code, type::text, severity::text, from_status, to_status, payload from upload_pipeline.events where version = 4$$,
  $$values ('job_retried', 'retry', 'info', 'failed_parse', 'uploaded',
            jsonb_build_object('attempt', 2, 'reason', 'provider was down', 'by', session_user))$$,
            'the event has the attempt, the reason and the operator'
);
select results_eq(
  'select attempt, max_attempts, run_after, deadline_at from upload_pipeline.job_overview',
  $$values (2, 3, timestamptz '2030-01-01 12:05+00', timestamptz '2030-01-01 13:05+00')$$,
  'the job is in attempt 2 and can run at once'
);
select is(
  (select last_error ->> 'error' from upload_pipeline.job_overview), 'x', 'last_error is kept until the next success'
);
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied uploaded 5 event',
  'a job that waits in uploaded can be retried too'
);
select throws_ok(
  $$select upload_pipeline.retry_job(job_id => gen_random_uuid())$$, 'UP001', null, 'an unknown job is refused'
);
select is(
  (select string_agg((upload_pipeline.retry_job(job_id => pg_temp.job('a'))).version::text, ' ')
     from generate_series(3, 6) as n,
          lateral pg_temp.receive_event(delivery_id => 'n' || n, code => 'parse_failed', job_id => pg_temp.job('a')) as told),
  '7 9 11 13', 'an operator may retry beyond max_attempts'
);
select results_eq(
  'select attempt, max_attempts from upload_pipeline.job_overview', 'values (7, 7)',
  'each such retry raises max_attempts'
);

select * from finish();
rollback;
