begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.claim();
select is(
  pg_temp.fail('a', '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1}', permanent => true),
  'applied failed_parse 3 event', 'the first try was the last'
);
select is(
  (select last_error from upload_pipeline.job_overview),
  '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1}', 'with the provider''s code'
);
select results_eq(
  $$select code, type::text, severity::text, payload from upload_pipeline.events where version = 3$$,
  $$values ('parse_failed', 'stage_error', 'error',
            jsonb '{"code": "PDF_IS_PROTECTED", "error": "It needs a password.", "page": 1, "leased_by": "w", "tries": 1}')$$,
  'by the event that the status names'
);
select results_eq('select code from upload_pipeline.failed_jobs', $$values ('PDF_IS_PROTECTED')$$, 'a dead letter');

select pg_temp.make_parsed_job('b');
select pg_temp.claim('parsed');
select is(pg_temp.fail('b', permanent => true), 'applied failed_stage 4 event', 'a later stage fails otherwise');
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('b'))), 'applied parsed 5 event',
  'and is retried without parsing again'
);

select * from finish();
rollback;
