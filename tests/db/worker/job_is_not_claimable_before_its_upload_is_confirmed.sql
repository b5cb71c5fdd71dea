-- An earlier implementation ran jobs before their file existed.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a', confirmed => false);
select throws_ok(
  $$update upload_pipeline.upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()$$,
  '23514', null, 'a lease by hand is refused before the upload is confirmed'
);
select throws_ok(
  $$update upload_pipeline.upload_jobs set upload_confirmed = true$$, '23503', null,
  'a job cannot be confirmed without its document'
);
select is(
  (select count(*) from upload_pipeline.upload_jobs where claimable and upload_confirmed and lease_token is null), 0::bigint,
  'the job is not claimable'
);
select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'));
select is(
  (select count(*) from upload_pipeline.upload_jobs where claimable and upload_confirmed and lease_token is null), 1::bigint,
  'once the upload is confirmed the job is claimable'
);
select lives_ok(
  $$update upload_pipeline.upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()$$,
  'then a lease is accepted'
);
select is(
  (select count(*) from pg_attribute
    where attrelid in ('upload_pipeline.upload_jobs'::regclass, 'upload_pipeline.events'::regclass) and attname = 'raw_path'),
  0::bigint, 'the raw path is stored only in the document'
);

select * from finish();
rollback;
