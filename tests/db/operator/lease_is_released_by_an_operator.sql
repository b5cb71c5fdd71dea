begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(upload_pipeline.release_job(job_id => pg_temp.job('a'))), 'ignored uploaded 2',
  'releasing a job without a lease is ignored'
);
update upload_pipeline.upload_jobs
   set lease_token = gen_random_uuid(), leased_by = 'worker 7', leased_until = upload_pipeline.clock() + interval '1 hour';
select is(
  pg_temp.summary(upload_pipeline.release_job(job_id => pg_temp.job('a'), reason => 'host is gone')), 'applied uploaded 3 event',
  'releasing a leased job is applied'
);
select results_eq(
  'select lease_token, leased_by, leased_until, attempt from upload_pipeline.upload_jobs',
  'values (null::uuid, null::text, null::timestamptz, 1)', 'the lease is gone and the attempt is the same'
);
select results_eq(
  $$select code, from_status, to_status, type::text, payload from upload_pipeline.events where version = 3$$,
  $$values ('job_released', 'uploaded', 'uploaded', 'operator',
            jsonb_build_object('leased_by', 'worker 7', 'reason', 'host is gone', 'by', session_user))$$,
            'the event names the worker, the reason and the operator'
);
select throws_ok(
  $$select upload_pipeline.release_job(job_id => gen_random_uuid())$$, 'UP001', null, 'an unknown job is refused'
);

select * from finish();
rollback;
