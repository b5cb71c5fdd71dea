begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../supabase.psql
select plan(5);

select columns_are(
  'hookline_api', 'my_jobs',
  array[
    'job_id', 'document_id', 'filename', 'mime', 'bytes_len', 'status', 'version', 'attempt', 'finished', 'failed',
    'error_code', 'metadata', 'priority', 'created_at', 'updated_at', 'parsed_path', 'parsed_sha256'
  ],
  'my_jobs has exactly these columns'
);
select columns_are(
  'hookline_api', 'my_events',
  array['job_id', 'version', 'document_id', 'ts', 'from_status', 'to_status', 'type', 'severity', 'code'],
  'my_events has exactly these columns'
);
select columns_are(
  'hookline_api', 'my_artifacts', array['job_id', 'kind', 'name', 'path', 'sha256', 'bytes'],
  'my_artifacts has exactly these columns'
);
-- No text of the provider, of an operator or of the engine may be in any row.
select pg_temp.make_job('a');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'pj-secret',
  payload => '{"error": "secret of the provider"}', correlation_id => 'corr-secret'
);
select pg_temp.make_job('b', owner => 'ada');
select pg_temp.receive_event(
  delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('b'), payload => '{"error": "secret of the provider"}'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'), reason => 'a secret among operators');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# secret', attempt => 2);
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select is_empty(
  format(
    $$select a
        from pg_temp.answer(%L, pg_temp.claims('ada')) as a
       where a ~ 'secret|corr-|storage:|%s|%s|%s'$$,
    'select (to_jsonb(v) - ''parsed_path'' - ''parsed_sha256'')::text from hookline_api.my_jobs as v
     union all select to_jsonb(v)::text from hookline_api.my_events as v',
    pg_temp.sha('a'), pg_temp.sha('# secret'), pg_temp.owner('ada')
  ),
  'no payload, reason, correlation id, or path or hash of a file is shown'
);
select results_eq(
  $$select a from pg_temp.answer('select string_agg(code, '', '' order by job_id, version) from hookline_api.my_events', pg_temp.claims('ada')) as a$$,
  array['job_created, upload_confirmed, parse_failed, job_retried, parse_completed, job_created, upload_confirmed, parse_failed'],
  'every event is shown by its code'
);

select * from finish();
rollback;
