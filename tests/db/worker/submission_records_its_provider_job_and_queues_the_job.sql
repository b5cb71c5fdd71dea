begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(upload_pipeline.record_submission(
    job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1', correlation_id => 'submit-1'
  )),
  'applied parse_queued 3 event', 'the receipt says applied and parse_queued'
);
select results_eq(
  $$select code, type::text, to_status, payload, correlation_id::text from upload_pipeline.events where version = 3$$,
  $$values (
    'parse_submitted', 'stage_started', 'parse_queued',
    '{"provider": "llamacloud", "parse_job_id": "p1", "attempt": 1}'::jsonb, 'submit-1'
  )$$,
  'the submission has its event'
);
select is(
  (select deadline_at - updated_at from upload_pipeline.upload_jobs), interval '30 minutes', 'the job has the deadline of parse_queued'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1')),
  'stale parse_queued 3', 'the same submission again is stale'
);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p2')),
  'stale parse_queued 3', 'a second provider job of the attempt is stale'
);
select results_eq(
  'select parse_job_id, job_id, attempt from upload_pipeline.provider_jobs order by 1',
  $$values ('p1', pg_temp.job('a'), 1), ('p2', pg_temp.job('a'), 1)$$, 'both provider jobs are recorded'
);

select * from finish();
rollback;
