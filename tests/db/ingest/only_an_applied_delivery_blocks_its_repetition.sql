begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'ignored', code => null, event_type => 'parse.new')), 'ignored', 'ignored'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'ignored', code => 'parse_started', job_id => pg_temp.job('a'))),
  'applied parse_queued 3 event', 'then applied, once it means something'
);

select pg_temp.receive_event(delivery_id => 'parked', code => 'parse_ready', parse_job_id => 'p1');
select is(
  pg_temp.summary(pg_temp.receive_event(
    delivery_id => 'parked', code => 'parse_ready', job_id => pg_temp.job('a'), parse_job_id => 'p1', body => 'other bytes'
  )),
  'applied parse_ready 4 event', 'a parked one is judged anew, whatever its bytes'
);
select is(pg_temp.delivery('parked'), 'applied a x2', 'and is parked no more');

select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'b1', code => 'parse_failed', job_id => pg_temp.job('b'), attempt => 1);
select upload_pipeline.retry_job(job_id => pg_temp.job('b'));
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'stale', code => 'parse_failed', job_id => pg_temp.job('b'), attempt => 1)),
  'stale uploaded 4', 'stale'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'stale', code => 'parse_failed', job_id => pg_temp.job('b'), attempt => 2)),
  'applied failed_parse 5 event', 'a stale one is judged anew'
);

select pg_temp.make_job('c');
select pg_temp.receive_content(delivery_id => 'kept', job_id => pg_temp.job('c'), content => '# c');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'kept', job_id => pg_temp.job('c'), content => '# c')),
  'kept uploaded 2 #1 + .md', 'kept content is answered with its path again, until it is stored'
);
select is(pg_temp.delivery('kept'), 'kept c x2 #1', 'counted');

select * from finish();
rollback;
