begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('parse_queued');
select upload_pipeline.record_submission(job_id => pg_temp.job('parse_queued'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('parse_ready');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('parse_ready'));
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = upload_pipeline.clock() + interval '1 minute'
 where job_id = pg_temp.job('parse_ready');
select pg_temp.make_job('parsed');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('parsed'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select pg_temp.make_job('cancelled');
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));

select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job(name))), 'applied uploaded 4 event',
  format('retry_job restarts a job in %s', name)
)
  from unnest(array['parse_queued', 'parse_ready']) as name;
select is(
  (select lease_token from upload_pipeline.upload_jobs where job_id = pg_temp.job('parse_ready')), null, 'the retry ends the lease'
);
select throws_ok(
  format('select upload_pipeline.retry_job(job_id => pg_temp.job(%L))', name), 'UP002', null,
  format('a job in %s cannot be retried', name)
)
  from unnest(array['cancelled']) as name;
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('parsed'))), 'applied parsed 4 event',
  'a parsed job has no way back, so it is retried in place'
);
select is(
  (select attempt from upload_pipeline.upload_jobs where job_id = pg_temp.job('parsed')), 2, 'the retry in place is another attempt'
);

select * from finish();
rollback;
