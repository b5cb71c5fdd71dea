begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a', file => 'f');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('a'));
select pg_temp.make_job('b', file => 'f');
select is(pg_temp.document('b'), pg_temp.document('a'), 'both jobs belong to one document');

select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('a'))),
  'stale failed_parse 3', 'a late thin success is stale'
);
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# a')),
  'stale failed_parse 3', 'late content is stale'
);
select is_empty('select * from upload_pipeline.contents', 'late content is not kept');

select upload_pipeline.cancel_job(job_id => pg_temp.job('b'));
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('a'), content => '# a')),
  'kept failed_parse 3 #1 + .md', 'once the newer job has ended, late content is kept'
);
select pg_temp.make_job('c', file => 'f');
select is(
  pg_temp.summary(upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)),
  'stale failed_parse 3 #1 + .md', 'a newer job created before finish_content makes it stale'
);
select is(pg_temp.delivery('d3'), 'stale a x2 #1', 'the delivery is recorded as stale');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
