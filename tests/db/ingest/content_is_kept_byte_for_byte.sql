begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '\x2300ff00c328edb28080'::bytea);
select is(
  upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1), '\x2300ff00c328edb28080'::bytea,
  'NUL, invalid UTF-8 and a surrogate are read back unchanged'
);
select is(
  (select content_bytes from upload_pipeline.contents), 10::bigint, 'the size is counted in bytes'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 3 event #1 + .md', 'the content can be finished'
);

select * from finish();
rollback;
