begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'));
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# b');
select upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1);

select is(
  (select correlation_id::text from upload_pipeline.events where job_id = pg_temp.job('a') and version = 3),
  'corr-a', 'the event of receive_event has the job''s correlation id'
);
select is(
  (select correlation_id::text from upload_pipeline.events where job_id = pg_temp.job('b') and version = 3),
  'corr-b', 'the event of finish_content has the job''s correlation id'
);
select is(
  (select count(*) from upload_pipeline.delivery_log where correlation_id is not null), 0::bigint,
  'the delivery itself has none'
);

select * from finish();
rollback;
