-- Not by the submission alone: another delivery may name both ids, and the submission may never be recorded.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'thin-a', code => 'parse_ready', parse_job_id => 'pa');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'pa')),
  'applied parse_queued 3 event', 'an event that names both'
);
select is(pg_temp.delivery('thin-a'), 'applied a x1', 'brings the parked one in');
select is(pg_temp.status('a'), 'parse_ready', 'and the job is where both lead');

select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'thin-b', code => 'parse_ready', parse_job_id => 'pb');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), parse_job_id => 'pb', content => '# b');
select is(pg_temp.delivery('thin-b'), 'applied b x1', 'so does content');
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'which goes on as it would'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'nothing is violated');

select * from finish();
rollback;
