begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => 'one');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('a'), content => 'two');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
create temporary table before as select * from upload_pipeline.upload_jobs;

select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 2)),
  'stale parsed 3 #2 + .2.md', 'finishing other content that was kept earlier is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => 'three')),
  'stale parsed 3', 'other content that comes later is stale'
);
select results_eq('select * from upload_pipeline.upload_jobs', 'select * from before', 'the job is unchanged');
select is(
  (select count(*) from upload_pipeline.contents where content_sha256 = pg_temp.sha('three')), 0::bigint,
  'the later content gets no path, so no object is written'
);
select is(
  pg_temp.delivery('d2') || ', ' || pg_temp.delivery('d3'), 'stale a x1 #2, stale a x1',
  'both deliveries are recorded as stale'
);
select is_empty($$select path from upload_pipeline.claim_contents(batch => 10)$$, 'the drain has nothing to claim');

select * from finish();
rollback;
