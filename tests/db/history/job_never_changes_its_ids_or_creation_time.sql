begin;
\ir ../raw_dml.psql
select plan(18);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'cancelled');
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events', 'UP010', name, statements,
  besides => 'alter table upload_pipeline.events drop constraint event_and_job_are_of_one_document;
              alter table upload_pipeline.contents drop constraint content_is_of_a_job'
)
  from (
    values
      ('another job_id', $$
        update upload_pipeline.upload_jobs set job_id = gen_random_uuid() where correlation_id = 'a'$$),
      ('another document', $$
        update upload_pipeline.upload_jobs as j
           set document_id = o.document_id, owner_id = o.owner_id
          from upload_pipeline.upload_jobs as o
         where j.correlation_id = 'a' and o.correlation_id = 'b'$$),
      ('the document under another id', $$
        update upload_pipeline.documents as d
           set document_id = gen_random_uuid()
          from upload_pipeline.upload_jobs as j
         where j.correlation_id = 'a' and d.document_id = j.document_id$$),
      ('another created_at', $$
        update upload_pipeline.upload_jobs set created_at = '2000-01-01' where correlation_id = 'a'$$)
  ) as attack (name, statements);

-- Without the trigger, the foreign key of its events still refuses.
select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.events drop constraint event_and_job_are_of_one_document',
  '23503 event_and_job_are_of_one_document', 'the document of a job with events', $$
    update upload_pipeline.upload_jobs as j
       set document_id = o.document_id, owner_id = o.owner_id
      from upload_pipeline.upload_jobs as o
     where j.correlation_id = 'a' and o.correlation_id = 'b'$$,
  besides => 'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events'
);

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events', 'UP010',
  'renaming a status that a job is in', $$
    update upload_pipeline.statuses set status = 'being_parsed' where status = 'parse_queued'$$,
  besides => 'alter table upload_pipeline.events drop constraint step_is_a_transition;
              alter table upload_pipeline.transitions drop constraint from_status_is_known,
                drop constraint to_status_is_known;
              alter table upload_pipeline.event_codes drop constraint to_status_is_known'
);

select * from finish();
rollback;
