begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job(name) from unnest(array['erased', 'purged', 'kept']) as name;
select pg_temp.receive_event(delivery_id => 'd ' || name, code => 'parse_ready', job_id => job_id) from named_jobs;
create temp table place as
  select n.name, r.path
    from upload_pipeline.claim_jobs(status => 'parse_ready', worker => 'w', batch => 10) as c
    join named_jobs as n using (job_id)
   cross join lateral upload_pipeline.receive_artifacts(
     job_id => c.job_id, lease_token => c.lease_token,
     artifacts => ('[{"kind": "text", "name": "", "sha256": "' || repeat('a', 64) || '", "bytes": 1, "extension": "txt"}]')::jsonb
   ) as r;
select upload_pipeline.erase_document(document_id => pg_temp.document('erased'));
select set_eq(
  $$select path::text from upload_pipeline.deletions where path like '%.txt'$$, $$select path from place where name = 'erased'$$,
  'the artifacts of an erased document are deleted'
);
select is((select count(*) from upload_pipeline.artifacts), 2::bigint, 'with their rows');

select upload_pipeline.cancel_job(job_id => pg_temp.job('purged'));
select pg_temp.set_clock('2026-02-01 12:00+00');
select upload_pipeline.purge(older_than => '7 days');
select set_eq(
  'select unnest(purged_paths) from upload_pipeline.documents', $$select path from place where name = 'purged'$$,
  'those of a purged job stay, and their document knows them'
);
select is(
  (select count(*) from upload_pipeline.stored_objects where path in (select p.path from place as p)), 3::bigint,
  'each is listed until it is deleted'
);
select upload_pipeline.erase_owner(owner_id => pg_temp.owner('ada'));
select set_eq(
  $$select path::text from upload_pipeline.deletions where path like '%.txt'$$, 'select path from place',
  'until the owner is erased'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
