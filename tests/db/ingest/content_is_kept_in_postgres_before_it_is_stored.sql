begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.make_job('a');
select pg_temp.set_clock('2026-01-01 12:00+00');
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(pg_temp.receive_content(
    delivery_id => 'd1', job_id => pg_temp.job('a'), document_id => pg_temp.document('a'), parse_job_id => 'p1',
    content => '# Grüße', details => '{"parser_name": "lp"}', correlation_id => 'theirs'
  )),
  'kept uploaded 2 #1 + .md', 'the receipt names the content and its path'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# Grüße')),
  'kept uploaded 2 #1 + .md', 'a redelivery gets the same receipt'
);
select is(
  (select path::text from upload_pipeline.contents),
  format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')),
  'the path is the one that the specification gives'
);
select is(
  upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1), '# Grüße'::bytea,
  'the bytes are kept in Postgres'
);
select results_eq(
  'select content_sha256::text, content_bytes, attempt, received_at, run_after, stored_at from upload_pipeline.contents',
  $$values (pg_temp.sha('# Grüße'), 9::bigint, 1, timestamptz '2026-01-01 12:00+00',
            timestamptz '2026-01-01 12:00:30+00', null::timestamptz)$$,
  'hash and size are recorded, and the drain waits 30 seconds'
);
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is unchanged');
select is(pg_temp.delivery('d1'), 'kept a x2 #1', 'the delivery refers to its content');
select is(
  (select attempt from upload_pipeline.provider_jobs where parse_job_id = 'p1'), 1, 'its provider job is recorded'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
