-- Number 13 of what broke before: a job was runnable before its file existed.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a', confirmed => false);
select throws_ok(
  $$update upload_pipeline.upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()$$,
  '23514', null, 'no lease without the file'
);
select throws_ok(
  $$update upload_pipeline.upload_jobs set upload_confirmed = true$$, '23503', null,
  'a job alone cannot say that it is there'
);
select is(
  (select count(*) from upload_pipeline.upload_jobs where claimable and upload_confirmed and lease_token is null), 0::bigint,
  'the job is not among those to claim'
);
select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'));
select is(
  (select count(*) from upload_pipeline.upload_jobs where claimable and upload_confirmed and lease_token is null), 1::bigint,
  'until the upload is confirmed'
);
select lives_ok(
  $$update upload_pipeline.upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()$$,
  'then it can be leased'
);
select is(
  (select count(*) from pg_attribute
    where attrelid in ('upload_pipeline.upload_jobs'::regclass, 'upload_pipeline.events'::regclass) and attname = 'raw_path'),
  0::bigint, 'and the path stands in one place: its document'
);

select * from finish();
rollback;
