begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', recognised => false);
select is(
  pg_temp.summary(upload_pipeline.accept_content(
    job_id => pg_temp.job('a'), ordinal => 1,
    markdown => upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1)
  )),
  'kept uploaded 2 #1 + .md', 'accept_content with the same bytes gives them a path'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'applied parsed 3 event #1 + .md', 'the accepted content can be finished'
);

select pg_temp.make_job('b');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# b', recognised => false);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('b'), content => '# b')),
  'kept uploaded 2 #1 + .md', 'a delivery that recognises the same bytes gives them a path too'
);
select upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1);
select is(
  pg_temp.delivery('d2') || ', ' || pg_temp.delivery('d3'), 'applied b x1 #1, applied b x1 #1',
  'both deliveries are applied'
);

select * from finish();
rollback;
