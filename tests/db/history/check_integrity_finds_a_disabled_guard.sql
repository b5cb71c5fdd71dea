begin;
\ir ../search_path.psql
select plan(5);

select is_empty('select * from upload_pipeline.check_integrity()', 'all guards stand');

-- What `pg_dump --data-only --disable-triggers` leaves behind: on, but not in replica mode.
alter table upload_pipeline.events enable trigger all;
select bag_eq(
  'select violation, detail from upload_pipeline.check_integrity()',
  $$values ('guard_is_off', 'trigger event_moves_its_job of events'),
           ('guard_is_off', 'trigger events_are_append_only of events'),
           ('guard_is_off', 'trigger events_are_never_truncated of events')$$,
  'a guard that is not always on is found'
);

alter table upload_pipeline.events enable always trigger event_moves_its_job;
alter table upload_pipeline.events enable always trigger events_are_append_only;
alter table upload_pipeline.events enable always trigger events_are_never_truncated;
select is_empty('select * from upload_pipeline.check_integrity()', 'and is well again once it is');

alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events;
select results_eq(
  'select detail from upload_pipeline.check_integrity()',
  $$values ('trigger job_moves_by_events of upload_jobs')$$,
  'one that is off'
);
drop trigger job_moves_by_events on upload_pipeline.upload_jobs;
select results_eq(
  'select detail from upload_pipeline.check_integrity()',
  $$values ('trigger job_moves_by_events of upload_jobs')$$,
  'or gone'
);

select * from finish();
rollback;
