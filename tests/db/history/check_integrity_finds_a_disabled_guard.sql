begin;
\ir ../search_path.psql
select plan(5);

select is_empty('select * from upload_pipeline.check_integrity()', 'with all guards enabled it finds nothing');

-- `pg_dump --data-only --disable-triggers` leaves triggers like this: enabled, but not in replica mode.
alter table upload_pipeline.events enable trigger all;
select bag_eq(
  'select violation, detail from upload_pipeline.check_integrity()',
  $$values ('guard_is_off', 'trigger event_moves_its_job of events'),
           ('guard_is_off', 'trigger events_are_append_only of events'),
           ('guard_is_off', 'trigger events_are_never_truncated of events')$$,
  'a guard that is not `enable always` is found'
);

alter table upload_pipeline.events enable always trigger event_moves_its_job;
alter table upload_pipeline.events enable always trigger events_are_append_only;
alter table upload_pipeline.events enable always trigger events_are_never_truncated;
select is_empty('select * from upload_pipeline.check_integrity()', 'with `enable always` again it finds nothing');

alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events;
select results_eq(
  'select detail from upload_pipeline.check_integrity()',
  $$values ('trigger job_moves_by_events of upload_jobs')$$,
  'a disabled guard is found'
);
drop trigger job_moves_by_events on upload_pipeline.upload_jobs;
select results_eq(
  'select detail from upload_pipeline.check_integrity()',
  $$values ('trigger job_moves_by_events of upload_jobs')$$,
  'a dropped guard is found'
);

select * from finish();
rollback;
