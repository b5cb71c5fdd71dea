begin;
\ir ../raw_dml.psql
select plan(15);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'parse_ready');
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.events disable trigger event_moves_its_job', 'UP010', name, statements
)
  from (
    values
      ('an event with the next version', $$select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done')$$),
      ('an event with version 50', $$select pg_temp.insert_event('a', 50, 'parse_queued', 'parse_ready', 'stage_done')$$),
      ('an event that keeps the status', $$select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_queued', 'operator')$$),
      ('a second event after a step that was taken', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3),
               pg_temp.insert_event('a', 4, 'parse_ready', 'failed_parse', 'stage_error')$$),
      ('a copy of another job''s event', $$
        insert into upload_pipeline.events (
          job_id, version, document_id, from_status, to_status, type, severity, code, correlation_id, ts
        )
        select j.job_id, e.version + 1, j.document_id, e.from_status, e.to_status, e.type, e.severity, e.code,
               e.correlation_id, e.ts
          from upload_pipeline.events as e, upload_pipeline.upload_jobs as j
         where e.correlation_id = 'b' and e.version = 2 and j.correlation_id = 'a'$$)
  ) as attack (name, statements);

select * from finish();
rollback;
