begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
update upload_pipeline.transitions set enabled = false where to_status in ('parse_ready', 'uploaded') or from_status = 'uploaded';
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'))),
  'stale parse_queued 3', 'a report along a disabled transition is stale'
);
select throws_ok(
  $$select upload_pipeline.retry_job(job_id => pg_temp.job('a'))$$, 'UP002', null,
  'a retry along a disabled transition is refused'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'a history that took it earlier stays valid');
select pg_temp.make_job('b', confirmed => false);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p1')),
  'stale uploaded 1', 'a submission along a disabled transition is stale'
);

select * from finish();
rollback;
