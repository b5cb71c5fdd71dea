begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'))),
  'applied failed_parse 3 event', 'the first delivery is applied'
);
create temporary table before as select j.*, j.ctid as place from upload_pipeline.upload_jobs as j;

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'))),
  'duplicate failed_parse 3', 'the second is a duplicate without an event'
);
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select is(
  (select count(*) from upload_pipeline.events where code = 'parse_failed'), 1::bigint, 'there is one event'
);
select is(pg_temp.delivery('d1'), 'applied a x3', 'the delivery is counted three times and applied once');
select results_eq(
  'select j.*, j.ctid from upload_pipeline.upload_jobs as j', 'select * from before',
  'the duplicates did not write the row of the job'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'))),
  'duplicate uploaded 4', 'a replay after a retry does not fail the new attempt'
);

select * from finish();
rollback;
