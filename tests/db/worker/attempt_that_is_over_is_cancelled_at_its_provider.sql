begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job(name) from unnest(array['retried', 'stuck', 'unreadable', 'waits', 'failed']) as name;
select upload_pipeline.record_submission(job_id => job_id, attempt => 1, parse_job_id => 'p ' || name) from named_jobs;
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p unreadable');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', parse_job_id => 'p failed');

select upload_pipeline.retry_job(job_id => pg_temp.job(name)) from unnest(array['retried', 'failed']) as name;
update upload_pipeline.upload_jobs
   set deadline_at = case when job_id = pg_temp.job('stuck') then upload_pipeline.clock() end
 where status = 'parse_queued';
select upload_pipeline.fail_job(
  job_id => c.job_id, lease_token => c.lease_token, error => '{"code": "x", "error": "y"}', start_over => true
)
  from unnest(array['parse_queued', 'parse_ready']) as status
 cross join lateral upload_pipeline.claim_jobs(status => status, worker => 'w', batch => 10) as c;
select set_eq(
  $$select n.name from named_jobs as n join upload_pipeline.upload_jobs as j using (job_id) where j.attempt = 2$$,
  $$values ('retried'), ('failed'), ('stuck'), ('unreadable')$$, 'these jobs have another attempt'
);
select bag_eq(
  'select parse_job_id, kind from upload_pipeline.provider_requests',
  $$values ('p retried', 'cancel'), ('p stuck', 'cancel')$$,
  'what may still run for the attempt before is cancelled there; what has ended is left alone'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
