begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'ignored', code => null, event_type => 'parse.new')), 'ignored',
  'an event without a code is ignored'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'ignored', code => 'parse_started', job_id => pg_temp.job('a'))),
  'applied parse_queued 3 event', 'an ignored delivery is applied when it comes again with a code'
);

select pg_temp.receive_event(delivery_id => 'parked', code => 'parse_ready', parse_job_id => 'p1');
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'parked', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1', body => 'other bytes'
  )),
  'applied parse_ready 4 event', 'a parked delivery is judged again, even with other bytes'
);
select is(pg_temp.delivery('parked'), 'applied a x2', 'the parked delivery is now applied');

select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'b1', code => 'parse_failed', job_id => pg_temp.job('b'), parse_job_id => 'pb1');
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'stale', code => 'parse_failed', job_id => pg_temp.job('b'), parse_job_id => 'pb1')),
  'stale uploaded 4', 'a report of attempt 1 is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'stale', code => 'parse_failed', job_id => pg_temp.job('b'), parse_job_id => 'pb2')),
  'applied failed_parse 5 event', 'a stale delivery is judged again'
);

select pg_temp.make_job('c');
select pg_temp.receive_content(delivery_id => 'kept', job_id => pg_temp.job('c'), content => '# c');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'kept', job_id => pg_temp.job('c'), content => '# c')),
  'kept uploaded 2 #1 + .md', 'a redelivery of kept content gets its path again'
);
select is(pg_temp.delivery('kept'), 'kept c x2 #1', 'the redelivery is counted');

select * from finish();
rollback;
