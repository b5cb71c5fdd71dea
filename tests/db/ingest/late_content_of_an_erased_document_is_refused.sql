begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p1');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select throws_ok(
  $$select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1)$$, 'UP001', null,
  'finish_content is refused after the erasure'
);
select throws_ok(
  $$select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a')$$, 'UP001', null,
  'a redelivery of the content is refused'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p1')), 'parked',
  'a thin event of its provider job is parked'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
