-- Not only by record_submission: another delivery may name both ids, and the submission may never be recorded.
begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'thin-a', code => 'parse_ready', parse_job_id => 'pa');
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('a'), parse_job_id => 'pa')),
  'applied parse_queued 3 event', 'an event that names the job and the provider job is applied'
);
select is(pg_temp.delivery('thin-a'), 'applied a x1', 'it applies the parked delivery of that provider job');
select is(pg_temp.status('a'), 'parse_ready', 'the job is in the status of the later report');

select pg_temp.make_job('b');
select pg_temp.receive_event(delivery_id => 'thin-b', code => 'parse_ready', parse_job_id => 'pb');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), parse_job_id => 'pb', content => '# b');
select is(pg_temp.delivery('thin-b'), 'applied b x1', 'content that names both ids applies the parked delivery');
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1)),
  'applied parsed 4 event #1 + .md', 'the content can be finished afterwards'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
