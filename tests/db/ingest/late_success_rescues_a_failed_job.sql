begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), payload => '{"error": "x"}');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'))),
  'applied parse_ready 4 event', 'a late thin success moves the job to parse_ready, so that a worker fetches the result'
);
select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('b'), payload => '{"error": "x"}');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('b'), content => '# b')),
  'kept failed_parse 3 #1 + .md', 'late content of a failed job is kept'
);
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'once it is stored the job is parsed'
);
select results_eq(
  $$select pg_temp.history('b') offset 2$$,
  $$values ('parse_failed: uploaded > failed_parse, stage_error error'),
           ('parse_completed: failed_parse > parsed, stage_done info')$$,
  'the history has both the failure and the success'
);
select is(
  (select last_error from upload_pipeline.job_overview where job_id = pg_temp.job('b')), null, 'last_error is null again'
);
select is(
  (select deadline_at - updated_at from upload_pipeline.job_overview where job_id = pg_temp.job('a')), interval '1 hour',
  'a rescued job has a deadline again'
);

select * from finish();
rollback;
