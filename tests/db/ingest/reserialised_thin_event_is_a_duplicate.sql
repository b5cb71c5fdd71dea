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
  'duplicate parse_ready 3', 'other bytes, the same type and provider job'
);
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p1', event_type => 'parse.success', body => '{}'
  )),
  'duplicate parse_ready 3', 'found by the provider job alone'
);
select is(pg_temp.delivery('d1'), 'applied a x3', 'counted each time');

select * from finish();
rollback;
