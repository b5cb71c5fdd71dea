begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job(name) from unnest(array['document', 'purged', 'kept', 'young']) as name;
select pg_temp.make_job('owner', owner => 'bob');
select upload_pipeline.record_submission(job_id => job_id, attempt => 1, parse_job_id => 'p ' || name) from named_jobs;
select upload_pipeline.cancel_job(job_id => pg_temp.job('purged'));
-- Its content waits for storage, so purge leaves it alone.
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('kept'), content => '# a');
select upload_pipeline.cancel_job(job_id => pg_temp.job('kept'));
delete from upload_pipeline.provider_requests;

select upload_pipeline.erase_document(document_id => pg_temp.document('document'));
select results_eq(
  'select parse_job_id, kind, job_id, state from upload_pipeline.provider_request_log',
  $$values ('p document', 'delete', null::uuid, 'waiting')$$, 'an erased document is deleted at its provider'
);
select upload_pipeline.erase_owner(owner_id => pg_temp.owner('bob'));
select upload_pipeline.finish_provider_request(provider => 'llamacloud', parse_job_id => 'p document', kind => 'delete');
select pg_temp.set_clock('2026-02-01 12:00+00');
select is((select jobs from upload_pipeline.purge(older_than => '7 days')), 1::bigint, 'a finished job is purged');
select bag_eq(
  'select parse_job_id, kind from upload_pipeline.provider_requests',
  $$values ('p owner', 'delete'), ('p purged', 'delete')$$,
  'so are the jobs of an erased owner and purged jobs; a request that was done long ago is purged itself'
);
select is(
  (select array_agg(parse_job_id order by parse_job_id) from upload_pipeline.provider_jobs), array['p kept', 'p young'],
  'jobs that stay keep their provider jobs'
);
select upload_pipeline.purge(older_than => '7 days');
select is(
  (select count(*) from upload_pipeline.provider_requests), 2::bigint, 'a request that is not done is never purged'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
