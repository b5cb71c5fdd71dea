begin;
\ir ../raw_dml.psql
select plan(4);

select pg_temp.make_job_in_status('a', 'parse_queued');
set constraints all immediate;
alter table upload_pipeline.events disable trigger steps_are_counted;
alter table upload_pipeline.upload_jobs disable trigger deleted_jobs_are_counted;
set constraints all deferred;
select pg_temp.make_job_in_status('b', 'parse_ready');
delete from upload_pipeline.upload_jobs where correlation_id = 'a';

select results_eq(
  'select violation, detail from upload_pipeline.check_integrity() order by detail',
  $$values ('count_differs', 'status_counts says 0 jobs in parse_ready, there are 1'),
           ('count_differs', 'status_counts says 1 jobs in parse_queued, there are 0')$$,
  'check_integrity finds the difference'
);
select results_eq(
  'select * from upload_pipeline.recount_statuses() order by status',
  $$values ('parse_queued', 1::bigint, 0::bigint), ('parse_ready', 0, 1)$$, 'recount_statuses tells what it corrects'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'then the numbers are right');
select is_empty(
  'select * from upload_pipeline.activity where code is null', 'and the correction is no step of a job'
);

select * from finish();
rollback;
