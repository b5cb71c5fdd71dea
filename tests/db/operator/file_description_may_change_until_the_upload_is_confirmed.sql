begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a', confirmed => false);
select upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'b.txt', mime => 'text/plain', bytes_len => 2,
  file_sha256 => pg_temp.sha('a'), raw_path => 'storage://raw/b.txt'
);
select results_eq(
  'select filename, mime, bytes_len, raw_path from upload_pipeline.documents',
  $$values ('b.txt', 'text/plain', 2::bigint, 'storage://raw/b.txt')$$,
  'a second create_job changes name, type, size and path of the document'
);
select is(
  pg_temp.summary(upload_pipeline.confirm_upload(job_id => pg_temp.job('a'), bytes_len => 2, file_sha256 => pg_temp.sha('a'))),
  'applied uploaded 2 event', 'the upload is confirmed with the new size'
);

select * from finish();
rollback;
