begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.set_clock('2030-01-01 12:00+00');
select pg_temp.make_job('a');
select results_eq(
  $$select owner_id, filename, status, version, attempt, max_attempts, upload_confirmed, terminal, failed, overdue, run_after,
           deadline_at, leased_by, correlation_id::text, parsed_path, last_error, created_at, updated_at
      from upload_pipeline.job_overview$$,
  $$values (pg_temp.owner('ada'), 'a.pdf', 'uploaded', 2, 1, 3, true, false, false, false, timestamptz '2030-01-01 12:00+00',
            timestamptz '2030-01-01 13:00+00', null::text, 'corr-a', null::text, null::jsonb, timestamptz '2030-01-01 12:00+00',
            timestamptz '2030-01-01 12:00+00')$$,
  'an uploaded job is shown with its document, deadline and no content'
);
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select results_eq(
  'select status, version, terminal, parsed_path, parsed_sha256::text, parsed_bytes from upload_pipeline.job_overview',
  $$values ('parsed', 3, false, format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')), pg_temp.sha('# a'), 3::bigint)$$,
  'a parsed job is shown with its content'
);

select * from finish();
rollback;
