begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'q1');

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p2')),
  'applied parse_ready 4 event', 'a thin success of an unrecorded provider job is applied'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), parse_job_id => 'q2', content => '# b')),
  'kept parse_queued 3 #1 + .md', 'content of an unrecorded provider job is kept'
);
select results_eq(
  'select parse_job_id, attempt from upload_pipeline.provider_jobs order by 1',
  $$values ('p1', 1), ('p2', 1), ('q1', 1), ('q2', 1)$$, 'an attempt may have two provider jobs'
);

select * from finish();
rollback;
