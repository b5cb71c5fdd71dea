begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => null, event_type => 'classify.success')), 'ignored',
  'an event of another product is ignored'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => null, event_type => 'parse.new', job_id => pg_temp.job('a'))),
  'ignored', 'an event about our job is ignored'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd3', code => null, event_type => 'x', job_id => gen_random_uuid())),
  'ignored', 'an event about an unknown job is ignored'
);
select is(pg_temp.delivery('d1'), 'ignored - x1', 'the delivery is recorded');
select is(
  (select event_type from upload_pipeline.delivery_log where delivery_id = 'd1'), 'classify.success', 'the event type of the sender is kept'
);
select is((select count(*) from upload_pipeline.events), 2::bigint, 'no event is inserted');

select * from finish();
rollback;
