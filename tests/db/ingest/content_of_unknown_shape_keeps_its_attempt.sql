begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '{"odd": 1}', recognised => false, parse_job_id => 'p1');
select pg_temp.receive_content(
  delivery_id => 'd2', job_id => pg_temp.job('a'), content => '{"odd": 2}', recognised => false, parse_job_id => 'p2', attempt => 1
);

select is(
  (select string_agg(attempt::text, ' ') from upload_pipeline.contents), '1 1',
  'both contents belong to attempt 1, by provider job and by proof'
);
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs order by 1', $$values ('p1', 1), ('p2', 1)$$,
  'the unrecorded provider job is recorded for attempt 1'
);
select throws_ok(
  $$select upload_pipeline.accept_content(job_id => pg_temp.job('a'), ordinal => 1, markdown => '# odd')$$,
  'UP002', null,
  'accept_content is refused, since attempt 2 is under way'
);
select is(
  upload_pipeline.read_content(job_id => pg_temp.job('a'), ordinal => 1), '{"odd": 1}'::bytea,
  'the bytes can still be read'
);

select * from finish();
rollback;
