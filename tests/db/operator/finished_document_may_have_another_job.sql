begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a', file => 'f');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.make_job('b', file => 'f', confirmed => false);
select isnt(pg_temp.job('b'), pg_temp.job('a'), 'a document whose job is cancelled may have another job');
select is(pg_temp.document('b'), pg_temp.document('a'), 'the second job belongs to the same document');
select is(
  (select upload_confirmed from upload_pipeline.job_overview where job_id = pg_temp.job('b')), true,
  'the second job is confirmed, since the file is there'
);
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('b'), bytes_len => 1, file_sha256 => pg_temp.sha('f'))),
  'duplicate uploaded 1', 'confirming the upload again is a duplicate'
);

select * from finish();
rollback;
