begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'));
update upload_pipeline.transitions set enabled = false where to_status in ('parse_ready', 'uploaded') or from_status = 'uploaded';
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'))),
  'stale parse_queued 3', 'by a report'
);
select throws_ok($$select upload_pipeline.retry_job(job_id => pg_temp.job('a'))$$, 'UP002', null, 'or by an operator');
select is_empty('select * from upload_pipeline.check_integrity()', 'history that took it stays as it is');
select pg_temp.make_job('b', confirmed => false);
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p1')),
  'stale uploaded 1', 'or by a worker'
);

select * from finish();
rollback;
