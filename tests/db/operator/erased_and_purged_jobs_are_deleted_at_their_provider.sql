begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

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
-- The envelope of the local parser, a sender that is no provider here, and a worker's own parser.
select pg_temp.make_job(name) from unnest(array['local', 'sender', 'own']) as name;
select pg_temp.receive_content(
  delivery_id => 'd2', job_id => pg_temp.job('local'), content => '# b', attempt => 1,
  parse_job_id => 'local-' || pg_temp.job('local') || '-1'
);
select upload_pipeline.receive_event(
  source => 'acme', delivery_id => 'd3', body_sha256 => repeat('0', 64), event_type => 'done', code => 'parse_ready',
  job_id => pg_temp.job('sender'), parse_job_id => 'acme-1'
);
select upload_pipeline.record_submission(pg_temp.job('own'), 1, 'own-1', provider => 'local');
create temp table linked as select from upload_pipeline.provider_jobs as p join named_jobs using (job_id)
 where name in ('local', 'sender', 'own');
select upload_pipeline.erase_document(document_id => document_id) from named_jobs where name in ('local', 'sender', 'own');
select results_eq(
  'select (select count(*) from linked), count(*) from upload_pipeline.provider_requests', 'values (3::bigint, 2::bigint)',
  'nobody is asked for what no worker could ask for'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
