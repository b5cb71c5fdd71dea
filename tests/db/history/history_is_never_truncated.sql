begin;
\ir ../raw_dml.psql
select plan(27);

select pg_temp.make_job_in_status('a', 'complete');
set local client_min_messages = warning;
-- Pending deferred checks alone would make truncate fail.
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.events disable trigger events_are_never_truncated', 'UP010',
  regexp_replace(statements, '\s+', ' ', 'g'), statements
)
  from unnest(array[
    'truncate upload_pipeline.events, upload_pipeline.notifications',
    'truncate upload_pipeline.events restart identity cascade',
    'truncate upload_pipeline.upload_jobs cascade',
    'truncate upload_pipeline.documents cascade',
    'truncate upload_pipeline.contents cascade',
    'truncate upload_pipeline.statuses cascade',
    'truncate upload_pipeline.transitions cascade',
    'truncate upload_pipeline.event_codes cascade',
    'truncate upload_pipeline.events, upload_pipeline.upload_jobs, upload_pipeline.contents, upload_pipeline.artifacts,
              upload_pipeline.notifications, upload_pipeline.provider_jobs, upload_pipeline.webhook_deliveries'
  ]) as attack (statements);

select * from finish();
rollback;
