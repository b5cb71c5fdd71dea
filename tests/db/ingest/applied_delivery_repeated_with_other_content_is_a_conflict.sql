begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select pg_temp.make_job('b');
select pg_temp.receive_event(
  delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1', event_type => 'parse.success'
);
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# b', parse_job_id => 'p2');
select upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1);
select pg_temp.make_job('c');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('c'), event_type => 'parse.success');

select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'), parse_job_id => 'p1',
      event_type => 'parse.error', body => 'other')$$,
  'UP007', null, 'another event type is a conflict'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p9',
      event_type => 'parse.success', body => 'other')$$,
  'UP007', null, 'another provider job is a conflict'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_ready', job_id => pg_temp.job('c'),
      event_type => 'parse.success', body => 'other')$$,
  'UP007', null, 'other bytes are a conflict where no provider job identifies the event'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# c', parse_job_id => 'p2', body => 'other')$$,
  'UP007', null, 'other content is a conflict'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => null, event_type => 'parse.pending', body => 'other')$$,
  'UP007', null, 'the id with an event without a code is a conflict'
);
select throws_ok(
  $$select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p7', body => 'other')$$,
  'UP007', null, 'the id with an unknown provider job is a conflict'
);
select is(
  (select string_agg(pg_temp.delivery(d), ', ') from unnest(array['d1', 'd2', 'd3']) as d),
  'applied a x1, applied b x1 #1, applied c x1', 'no delivery row was changed'
);
select is(pg_temp.status('a') || ' ' || pg_temp.status('b'), 'parse_ready parsed', 'no job was changed');

select * from finish();
rollback;
