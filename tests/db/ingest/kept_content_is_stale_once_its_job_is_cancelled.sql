begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'stale cancelled 3 #1 + .md', 'finishing the content is stale'
);
select is(pg_temp.delivery('d1'), 'stale a x1 #1', 'the delivery is recorded as stale');
select results_eq(
  'select content is null, stored_at is not null from upload_pipeline.contents', 'values (true, true)',
  'the bytes are deleted; the written object is still known by its path'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'duplicate cancelled 3 #1 + .md', 'finishing it again is a duplicate'
);
select is((select parsed_path from upload_pipeline.upload_jobs), null, 'the job has no content');

select * from finish();
rollback;
