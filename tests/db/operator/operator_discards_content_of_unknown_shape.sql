begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '{"odd": 1}', recognised => false);
select is(
  pg_temp.summary(upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 1)), 'applied uploaded 2 #1',
  'discard_content is applied'
);
select is(pg_temp.delivery('d1'), 'ignored a x1 #1', 'its delivery is recorded as ignored');
select is((select content from upload_pipeline.contents), null, 'the bytes are deleted');
select throws_ok(
  $$select upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'discarded content cannot be read'
);
select throws_ok(
  $$select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'it cannot be discarded again'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => '# a')),
  'kept uploaded 2 #2 + .md', 'content that is recognised later gets the first path'
);
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# b');
select throws_ok(
  $$select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 2)$$, 'UP001', null,
  'content with a path cannot be discarded'
);

select * from finish();
rollback;
