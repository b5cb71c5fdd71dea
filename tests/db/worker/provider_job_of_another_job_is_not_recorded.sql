begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select throws_ok(
  $$select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p1')$$,
  'UP004', null, 'a provider job of another job is refused'
);
select is(pg_temp.status('b'), 'uploaded', 'the job is unchanged');
select throws_ok(
  $$select upload_pipeline.record_submission(job_id => gen_random_uuid(), attempt => 1, parse_job_id => 'p1')$$,
  'UP001', null, 'also for a job that does not exist'
);
select is_empty('select from upload_pipeline.provider_requests', 'and is not cancelled or deleted at the provider');
select throws_ok(
  format('select upload_pipeline.record_submission(job_id => pg_temp.job(%L), attempt => %L, parse_job_id => %L)', 'b', attempt, id),
  'UP006', null, format('invalid arguments are refused: attempt %s, parse_job_id %s', attempt, left(id, 5))
)
  from (values (null, 'p3'), (0, 'p3'), (-1, 'p3'), (1, null), (1, ''), (1, repeat('p', 201))) as bad (attempt, id);
select is((select count(*) from upload_pipeline.provider_jobs), 1::bigint, 'no provider job was recorded');

select * from finish();
rollback;
