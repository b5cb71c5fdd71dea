begin;
\ir ../raw_dml.psql
select plan(8);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'parse_queued'), pg_temp.make_job_in_status('f', 'failed_parse');
set constraints all immediate;
set constraints all deferred;

create temp view flags as
  select j.correlation_id::text as job, j.terminal, j.failed, j.claimable, j.has_content, j.version
    from upload_pipeline.upload_jobs as j;

select results_eq(
  'select job, claimable from flags order by job', $$values ('a', false), ('b', false), ('f', false)$$,
  'jobs in parse_queued are not claimable at first'
);

update upload_pipeline.statuses set claimable = true where status = 'parse_queued';
set constraints all immediate;
select results_eq(
  'select job, claimable from flags order by job', $$values ('a', true), ('b', true), ('f', false)$$,
  'jobs in a status that becomes claimable are claimable'
);
select results_eq(
  'select distinct version from flags', 'values (2)', 'their version is unchanged'
);

update upload_pipeline.statuses set failed = false where status = 'failed_parse';
select results_eq(
  $$select failed from flags where job = 'f'$$, 'values (false)',
  'a status that is no longer a failure changes failed of its jobs'
);

update upload_pipeline.statuses
   set claimable = false, terminal = true, overdue_after = null, failure_code = null
 where status = 'parse_queued';
select results_eq(
  'select job, terminal, claimable from flags order by job',
  $$values ('a', true, false), ('b', true, false), ('f', true, false)$$,
  'a status that becomes terminal makes its jobs terminal'
);

select is(
  pg_temp.result_at_commit($$update upload_pipeline.statuses set has_content = true where status = 'parse_queued'$$),
  '23514 parsed_job_has_content', 'a flag is refused if the jobs would violate a constraint'
);
select is(
  pg_temp.result_at_commit($$update upload_pipeline.upload_jobs set claimable = true where correlation_id = 'a'$$),
  '23503 status_is_known', 'a job cannot differ from the flags of its status'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
