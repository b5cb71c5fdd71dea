begin;
\ir ../raw_dml.psql
select plan(57);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'parse_ready'), pg_temp.make_job_in_status('u', 'uploaded');
-- Job c was in these statuses: uploaded, parse_queued, uploaded.
select pg_temp.make_job_in_status('c', 'parse_queued');
select pg_temp.insert_event('c', 3, 'parse_queued', 'uploaded', 'retry'), pg_temp.update_job('c', 'uploaded', 3);
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events', 'UP010', name, statements
)
  from (
    values
      ('a status alone', $$select pg_temp.update_job('a', 'parse_ready', 2)$$),
      ('a status and the next version', $$select pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('a status by merge', $$
        merge into upload_pipeline.upload_jobs as j
        using upload_pipeline.statuses as s on s.status = 'parse_ready' and j.correlation_id = 'a'
        when matched then update set status = s.status, claimable = s.claimable$$),
      ('a status by upsert', $$
        insert into upload_pipeline.upload_jobs
        select j.* from upload_pipeline.upload_jobs as j where j.correlation_id = 'a'
        on conflict (job_id) do update set status = 'parse_ready', claimable = true$$),
      ('the status of every job at once', $$
        update upload_pipeline.upload_jobs as j
           set status = s.status, claimable = s.claimable
          from upload_pipeline.statuses as s
         where s.status = 'parse_ready'$$),
      ('the next version alone', $$
        update upload_pipeline.upload_jobs set version = 3 where correlation_id = 'a'$$),
      ('version 50', $$update upload_pipeline.upload_jobs set version = 50 where correlation_id = 'a'$$),
      ('version 50 and its event', $$
        select pg_temp.insert_event('a', 50, 'parse_queued', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 50)$$),
      ('an older version and its status', $$select pg_temp.update_job('a', 'uploaded', 1)$$),
      ('an older status in the version it has', $$select pg_temp.update_job('a', 'uploaded', 2)$$),
      ('two status changes with one event', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'),
               pg_temp.update_job('a', 'parse_ready', 3), pg_temp.update_job('a', 'failed_parse', 3)$$),
      ('two status changes at once with two events', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'),
               pg_temp.insert_event('a', 4, 'parse_ready', 'failed_parse', 'stage_error'),
               pg_temp.update_job('a', 'failed_parse', 4)$$),
      ('the event of another job', $$
        select pg_temp.insert_event('b', 3, 'parse_ready', 'parse_ready', 'operator'),
               pg_temp.update_job('b', 'parse_ready', 3), pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('the event of another job, of the same version', $$select pg_temp.update_job('u', 'parse_ready', 2)$$),
      ('the event of an earlier version', $$select pg_temp.update_job('c', 'parse_queued', 4)$$),
      ('a legal step that does not start where the job is', $$
        select pg_temp.insert_event('a', 3, 'uploaded', 'parse_ready', 'stage_done'), pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('an event that leads elsewhere', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'failed_parse', 'stage_error'),
               pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('a disabled step', $$
        update upload_pipeline.transitions set enabled = false where to_status = 'parse_ready';
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'),
               pg_temp.update_job('a', 'parse_ready', 3)$$)
  ) as attack (name, statements);

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events', 'UP010',
  'to another status and back with one event',
  $$select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done'),
           pg_temp.update_job('a', 'parse_ready', 3), pg_temp.update_job('a', 'parse_queued', 2)$$,
  besides => 'alter table upload_pipeline.events disable trigger event_moves_its_job'
);

select * from finish();
rollback;
