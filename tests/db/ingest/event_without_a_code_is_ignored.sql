begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => null, event_type => 'classify.success')), 'ignored',
  'of another product on the same key'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => null, event_type => 'parse.new', job_id => pg_temp.job('a'))),
  'ignored', 'of our own job'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => null, event_type => 'x', job_id => gen_random_uuid())),
  'ignored', 'of a job that nobody knows'
);
select is(pg_temp.delivery('d1'), 'ignored - x1', 'it is written down');
select is(
  (select event_type from upload_pipeline.delivery_log where delivery_id = 'd1'), 'classify.success', 'in the sender''s own word'
);
select is((select count(*) from upload_pipeline.events), 2::bigint, 'no event');

select * from finish();
rollback;
