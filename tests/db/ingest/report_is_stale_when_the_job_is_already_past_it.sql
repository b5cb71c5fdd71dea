begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'));

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_started', job_id => pg_temp.job('a'))),
  'stale parse_ready 3', 'parse_started after parse_ready is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('a'))),
  'stale parse_ready 3', 'a second parse_ready is stale'
);
select pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd5', code => 'parse_failed', job_id => pg_temp.job('a'))),
  'stale parsed 4', 'parse_failed after the content is stale'
);
select is(
  (select last_error from upload_pipeline.job_overview where job_id = pg_temp.job('a')), null,
  'a stale failure does not set last_error'
);
select is(pg_temp.delivery('d5'), 'stale a x1', 'the delivery is recorded as stale');

select * from finish();
rollback;
