begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1',
  event_type => 'parse.success', body => '{"a": 1}'
);

select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1',
    event_type => 'parse.success', body => '{"a":1}'
  )),
  'duplicate parse_ready 3', 'other bytes with the same type and provider job are a duplicate'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1', event_type => 'parse.success', body => '{}'
  )),
  'duplicate parse_ready 3', 'the same event without our job id is a duplicate'
);
select is(pg_temp.delivery('d1'), 'applied a x3', 'each delivery is counted');

select * from finish();
rollback;
