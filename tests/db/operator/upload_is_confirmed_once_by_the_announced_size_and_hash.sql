begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.make_job('a', confirmed => false);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 2, file_sha256 => pg_temp.sha('a'))$$,
  'UP004', null, 'another size is refused'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('b'))$$,
  'UP004', null, 'another hash is refused'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => null, file_sha256 => null)$$,
  'UP004', null, 'null size and hash are refused'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => gen_random_uuid(), bytes_len => 1, file_sha256 => pg_temp.sha('a'))$$,
  'UP001', null, 'an unknown job is refused'
);
select is(
  (select upload_confirmed from upload_pipeline.job_overview), false, 'none of these calls confirms the upload'
);
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'))),
  'applied uploaded 2 event', 'the announced size and hash confirm the upload'
);
select results_eq(
  $$select pg_temp.history('a') offset 1$$, $$values ('upload_confirmed: uploaded > uploaded, stage_done info')$$,
  'the confirmation has its event'
);
select is((select upload_confirmed from upload_pipeline.job_overview), true, 'the job is confirmed');
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'))),
  'duplicate uploaded 2', 'a second confirmation is a duplicate'
);

select * from finish();
rollback;
