begin;
\ir ../raw_dml.psql
select plan(6);

select pg_temp.make_job_in_status('a', 'uploaded'), pg_temp.make_job_in_status('b', 'uploaded');
set constraints all immediate;
set constraints all deferred;

create temp view confirmation as
  select j.correlation_id::text as job, j.upload_confirmed, d.upload_confirmed as of_document, j.version
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.documents as d on d.document_id = j.document_id;

update upload_pipeline.documents as d
   set upload_confirmed = true
  from upload_pipeline.upload_jobs as j
 where j.document_id = d.document_id and j.correlation_id = 'a';
select results_eq(
  'select * from confirmation order by job', $$values ('a', true, true, 1), ('b', false, false, 1)$$,
  'a confirmed document confirms its job, without a step'
);

select is(
  pg_temp.result_at_commit($$update upload_pipeline.upload_jobs set upload_confirmed = false where correlation_id = 'a'$$),
  '23503 job_is_of_a_document', 'a job cannot withdraw the confirmation alone'
);
select is(
  pg_temp.result_at_commit($$update upload_pipeline.upload_jobs set upload_confirmed = true where correlation_id = 'b'$$),
  '23503 job_is_of_a_document', 'a job cannot be confirmed without its document'
);

update upload_pipeline.upload_jobs set lease_token = gen_random_uuid(), leased_by = 'w', leased_until = now()
 where correlation_id = 'a';
select is(
  pg_temp.result_at_commit('update upload_pipeline.documents set upload_confirmed = false'),
  '23514 lease_needs_a_confirmed_upload', 'the confirmation cannot be withdrawn while a worker has the lease'
);

update upload_pipeline.upload_jobs set lease_token = null, leased_by = null, leased_until = null;
update upload_pipeline.documents set upload_confirmed = false;
select results_eq(
  'select * from confirmation order by job', $$values ('a', false, false, 1), ('b', false, false, 1)$$,
  'without a lease it can be withdrawn, and the jobs are unconfirmed again'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
