begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(2);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '{"odd": 1}', recognised => false);
select upload_pipeline.discard_content(job_id => pg_temp.job('a'), ordinal => 1);
select matches(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '{"odd": 1}', recognised => false)),
  '^ignored', 'a redelivery of discarded bytes is ignored'
);
select is(
  (select waiting from upload_pipeline.queue_health where queue = 'content: to decide'), 0::bigint, 'no content waits for a decision'
);

select * from finish();
rollback;
