begin;
\ir ../raw_dml.psql
select plan(42);

select pg_temp.make_job_in_status('a', 'failed_parse'), pg_temp.make_job_in_status('b', 'parse_ready');
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.events disable trigger events_are_append_only', 'UP010', name, statements
)
  from (
    values
      ('a payload rewritten', $$update upload_pipeline.events set payload = '{"by": "me"}' where correlation_id = 'a'$$),
      ('a time moved', $$update upload_pipeline.events set ts = ts + interval '1 s' where version = 1$$),
      ('a step turned into another', $$
        update upload_pipeline.events set type = 'operator', to_status = 'cancelled'
         where version = 2 and correlation_id = 'b'$$),
      ('an event given to another job', $$
        update upload_pipeline.events as e
           set job_id = j.job_id, document_id = j.document_id, version = 3
          from upload_pipeline.upload_jobs as j
         where e.correlation_id = 'a' and e.version = 2 and j.correlation_id = 'b'$$),
      ('an update that changes nothing', $$update upload_pipeline.events set version = version$$),
      ('an upsert', $$
        insert into upload_pipeline.events select e.* from upload_pipeline.events as e where e.version = 2
        on conflict (job_id, version) do update set payload = '{"by": "me"}'$$),
      ('the last event deleted', $$
        delete from upload_pipeline.events where correlation_id = 'a' and version = 2$$),
      ('the first event deleted', $$
        delete from upload_pipeline.events where correlation_id = 'a' and version = 1$$),
      ('all events of a job deleted', $$delete from upload_pipeline.events where correlation_id = 'a'$$),
      ('all events deleted', $$delete from upload_pipeline.events$$),
      ('an event deleted by merge', $$
        merge into upload_pipeline.events as e
        using upload_pipeline.upload_jobs as j on j.job_id = e.job_id and e.version = 1
        when matched then delete$$),
      ('an event deleted and inserted anew', $$
        delete from upload_pipeline.events where correlation_id = 'a' and version = 2;
        select pg_temp.insert_event('a', 2, 'uploaded', 'failed_parse', 'stage_error')$$),
      ('an event replaced in one statement', $$
        with gone as (
          delete from upload_pipeline.events where correlation_id = 'a' and version = 2 returning version
        )
        select pg_temp.insert_event('a', g.version, 'uploaded', 'failed_parse', 'stage_error') from gone as g$$)
  ) as attack (name, statements);

-- The cascade of the foreign key runs after a job with the same id has been inserted.
select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.events disable trigger events_are_append_only', 'UP010',
  'a history erased while its job is replaced', $$
    with gone as (
      delete from upload_pipeline.upload_jobs as j where j.correlation_id = 'a' returning j.job_id, j.document_id, j.owner_id
    )
    insert into upload_pipeline.upload_jobs (
      job_id, document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id
    )
    select g.job_id, g.document_id, g.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content, false, 'z'
      from gone as g, upload_pipeline.statuses as s
     where s.initial$$,
  besides => 'alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history'
);

select * from finish();
rollback;
