begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a', file => 'f', confirmed => false);
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.make_job('b', file => 'f', confirmed => false);
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('b'));
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('b'), bytes_len => 1, file_sha256 => pg_temp.sha('f'))),
  'stale parse_queued 2', 'the confirmation is stale and has no event'
);
select is(
  (select bool_and(upload_confirmed) from upload_pipeline.job_overview), true, 'every job of the document is confirmed'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
