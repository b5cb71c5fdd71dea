begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00:00+00');
select pg_temp.make_job('a', confirmed => false);
select pg_temp.set_clock('2026-01-01 12:00:05+00');
select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'));
select pg_temp.make_job('b');
select pg_temp.set_clock('2026-01-01 12:01:00+00');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "x"}', correlation_id => 'theirs'
);
select results_eq(
  $$select version, ts, after_the_last, from_status, to_status, type::text, severity::text, code, correlation_id::text, document_id
      from upload_pipeline.job_timeline where job_id = pg_temp.job('a') order by version$$,
  $$values
    (1, timestamptz '2026-01-01 12:00:00+00', null::interval, null::text, 'uploaded', 'stage_started', 'info', 'job_created', 'corr-a', pg_temp.document('a')),
    (2, timestamptz '2026-01-01 12:00:05+00', interval '5 s', 'uploaded', 'uploaded', 'stage_done', 'info', 'upload_confirmed', 'corr-a', pg_temp.document('a')),
    (3, timestamptz '2026-01-01 12:01:00+00', interval '55 s', 'uploaded', 'failed_parse', 'stage_error', 'error', 'parse_failed', 'theirs', pg_temp.document('a'))$$,
  'events are in order, with the time since the last event of the same job'
);
select is(
  (select payload from upload_pipeline.job_timeline where code = 'parse_failed'), '{"error": "x"}'::jsonb, 'the payload of the event is shown'
);
select set_has(
  'select event_id from upload_pipeline.job_timeline', 'select event_id from upload_pipeline.events',
  'every event is shown'
);

select * from finish();
rollback;
