begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.make_job('a', confirmed => false);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 2, file_sha256 => pg_temp.sha('a'))$$,
  'UP004', null, 'another size'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('b'))$$,
  'UP004', null, 'another hash'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => null, file_sha256 => null)$$,
  'UP004', null, 'none'
);
select throws_ok(
  $$select upload_pipeline.confirm_upload(job_id => gen_random_uuid(), bytes_len => 1, file_sha256 => pg_temp.sha('a'))$$,
  'UP001', null, 'an unknown job'
);
select is((select upload_confirmed from upload_pipeline.job_overview), false, 'none of them confirms it');
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'))),
  'applied uploaded 2 event', 'what was announced does'
);
select results_eq(
  $$select pg_temp.history('a') offset 1$$, $$values ('upload_confirmed: uploaded > uploaded, stage_done info')$$,
  'with its event'
);
select is((select upload_confirmed from upload_pipeline.job_overview), true, 'the job knows');
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 1, file_sha256 => pg_temp.sha('a'))),
  'duplicate uploaded 2', 'the second time it is a duplicate'
);

select * from finish();
rollback;
