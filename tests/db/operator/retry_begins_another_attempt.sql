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
  'applied uploaded 4 event', 'the receipt'
);
select results_eq(
  $$select code, type::text, severity::text, from_status, to_status, payload from upload_pipeline.events where version = 4$$,
  $$values ('job_retried', 'retry', 'info', 'failed_parse', 'uploaded',
            jsonb_build_object('attempt', 2, 'reason', 'provider was down', 'by', session_user))$$, 'its event'
);
select results_eq(
  'select attempt, max_attempts, run_after, deadline_at from upload_pipeline.job_overview',
  $$values (2, 3, timestamptz '2030-01-01 12:05+00', timestamptz '2030-01-01 13:05+00')$$, 'the job runs at once'
);
select is(
  (select last_error ->> 'error' from upload_pipeline.job_overview), 'x', 'why it failed is kept until the next success'
);
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied uploaded 5 event',
  'what waits is sent back to where it is'
);
select throws_ok($$select upload_pipeline.retry_job(job_id => gen_random_uuid())$$, 'UP001', null, 'an unknown job');
select is(
  (select string_agg((upload_pipeline.retry_job(job_id => pg_temp.job('a'))).version::text, ' ')
     from generate_series(3, 6) as n,
          lateral pg_temp.receive_event(delivery_id => 'n' || n, code => 'parse_failed', job_id => pg_temp.job('a'), attempt => n) as told),
  '7 9 11 13', 'an operator''s retry is never refused for being one too many'
);
select results_eq(
  'select attempt, max_attempts from upload_pipeline.job_overview', 'values (7, 7)', 'it allows one more'
);

select * from finish();
rollback;
