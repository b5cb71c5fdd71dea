begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(1);

select pg_temp.make_job('a');
select pg_temp.set_clock('2030-01-01 12:00+00');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1', event_type => 'parse.error',
  payload => '{"error": "x"}', correlation_id => 'theirs'
);
select pg_temp.set_clock('2030-01-01 12:05+00');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1', event_type => 'parse.error'
);
select results_eq(
  $$select source, delivery_id collate "default", outcome::text, event_type, code, job_id, parse_job_id, content_ordinal, times_seen, first_seen,
           last_seen, body_sha256::text, payload, correlation_id::text from upload_pipeline.delivery_log$$,
  $$values ('llamaparse', 'd1', 'applied', 'parse.error', 'parse_failed', pg_temp.job('a'), 'p1', null::integer, 2,
            timestamptz '2030-01-01 12:00+00', timestamptz '2030-01-01 12:05+00', pg_temp.sha('d1'), '{"error": "x"}'::jsonb, 'theirs')$$,
  'a repeated delivery has one row with its count, first and last time'
);

select * from finish();
rollback;
