begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'),
    document_id => pg_temp.document('a'), parse_job_id => 'p1',
    payload => '{"error": "page 3 is blank", "parser_name": "lp"}', correlation_id => 'theirs'
  )),
  'applied failed_parse 3 event',
  'the receipt names the new status, version and event'
);
select results_eq(
  $$select pg_temp.history('a') offset 2$$,
  $$values ('parse_failed: uploaded > failed_parse, stage_error error')$$,
  'one event with the type and severity of its code'
);
select results_eq(
  $$select payload, correlation_id::text, document_id
      from upload_pipeline.job_timeline where job_id = pg_temp.job('a') and version = 3$$,
  $$values ('{"error": "page 3 is blank", "parser_name": "lp"}'::jsonb, 'theirs', pg_temp.document('a'))$$,
  'the event has the payload and correlation id of the delivery'
);
select is(
  (select last_error from upload_pipeline.job_overview where job_id = pg_temp.job('a')),
  '{"code": "parse_failed", "error": "page 3 is blank", "parser_name": "lp"}'::jsonb,
  'last_error is the code and the payload'
);
select is(pg_temp.delivery('d1'), 'applied a x1', 'the delivery is recorded as applied');
select results_eq(
  $$select source, event_type, code, parse_job_id, correlation_id::text, body_sha256::text
      from upload_pipeline.delivery_log where delivery_id = 'd1'$$,
  $$values ('llamaparse', 'parse_failed', 'parse_failed', 'p1', 'theirs', pg_temp.sha('d1'))$$,
  'the delivery log has the fields of the envelope'
);
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1' and job_id = pg_temp.job('a')),
  1, 'its provider job is recorded'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
