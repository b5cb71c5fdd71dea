begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(10);

select pg_temp.make_job('uploaded');
select pg_temp.make_job('parse_queued');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('parse_queued'));
select pg_temp.make_job('failed_parse');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('failed_parse'));
select pg_temp.make_job('parsed');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('parsed'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = upload_pipeline.clock()
 where job_id = pg_temp.job('uploaded');

select is(
  (upload_pipeline.cancel_job(job_id => job_id, reason => 'not needed')).status, 'cancelled', format('cancel_job cancels a job in %s', name)
)
  from named_jobs;
select results_eq(
  $$select distinct code, type::text, severity::text, payload from upload_pipeline.events where to_status = 'cancelled'$$,
  $$values ('job_cancelled', 'operator', 'warn', jsonb_build_object('reason', 'not needed', 'by', session_user))$$,
  'each cancel has an event with its reason and its operator'
);
select is(
  (select count(*) from upload_pipeline.upload_jobs where lease_token is not null), 0::bigint, 'the lease ends'
);
select is((select count(deadline_at) from upload_pipeline.upload_jobs), 0::bigint, 'the deadline ends');
select throws_ok(
  $$select upload_pipeline.cancel_job(job_id => pg_temp.job('uploaded'))$$, 'UP002', null,
  'a cancelled job cannot be cancelled again'
);
select throws_ok(
  $$select upload_pipeline.cancel_job(job_id => null)$$, 'UP001', null, 'an unknown job cannot be cancelled'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
