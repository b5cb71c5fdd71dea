begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job(name) from unnest(array['waits', 'submitted', 'parsed']) as name;
select upload_pipeline.record_submission(job_id => pg_temp.job('submitted'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.record_submission(
  job_id => pg_temp.job('submitted'), attempt => 1, parse_job_id => 'p2', provider => 'docling'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('parsed'), attempt => 1, parse_job_id => 'p3');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('parsed'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select is_empty('select from upload_pipeline.provider_request_log', 'a job that goes on asks for nothing');

select upload_pipeline.cancel_job(job_id => job_id) from named_jobs;
select results_eq(
  'select provider, parse_job_id, kind, job_id, state, tries from upload_pipeline.provider_request_log order by parse_job_id',
  $$values ('llamacloud', 'p1', 'cancel', pg_temp.job('submitted'), 'waiting', 0),
           ('docling', 'p2', 'cancel', pg_temp.job('submitted'), 'waiting', 0)$$,
  'each provider job of a cancelled job is cancelled at its provider, unless the job has content'
);
select is(
  (select count(*) from upload_pipeline.claim_provider_requests(provider => 'llamacloud')), 1::bigint,
  'a worker of the provider claims it at once'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
