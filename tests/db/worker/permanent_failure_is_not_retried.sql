begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.claim();
select is(
  pg_temp.fail('a', '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1}', permanent => true),
  'applied failed_parse 3 event', 'a permanent failure fails the job at its first try'
);
select is(
  (select last_error from upload_pipeline.job_overview),
  '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1}', 'last_error has the code that was given'
);
select results_eq(
  $$select code, type::text, severity::text, payload from upload_pipeline.events where version = 3$$,
  $$values ('parse_failed', 'stage_error', 'error',
            jsonb '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1, "leased_by": "w", "tries": 1}')$$,
  'the event is the failure_code of the status'
);
select results_eq(
  'select code from upload_pipeline.failed_jobs', $$values ('PDF_IS_PROTECTED')$$, 'the job is a dead letter'
);

select pg_temp.make_parsed_job('b');
select pg_temp.claim('parsed');
select is(
  pg_temp.fail('b', permanent => true), 'applied failed_stage 4 event',
  'a failure in a later stage leads to failed_stage'
);
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('b'))), 'applied parsed 5 event',
  'a retry of it returns to parsed, without parsing again'
);

select * from finish();
rollback;
