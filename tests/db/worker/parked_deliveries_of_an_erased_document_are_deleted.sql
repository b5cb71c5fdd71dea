begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', parse_job_id => 'p1', payload => '{"error": "secret"}');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', parse_job_id => 'p2');
select set_eq(
  'select parse_job_id, outcome from upload_pipeline.delivery_log', $$values ('p1', 'parked'), ('p2', 'parked')$$,
  'a report about an erased document is parked at first'
);
select pg_temp.set_clock('2026-01-01 12:01+00');
select is(upload_pipeline.apply_parked(), null, 'none belongs to a job');
select results_eq(
  'select parse_job_id from upload_pipeline.delivery_log', array['p2'], 'then it is deleted, and only it'
);

select * from finish();
rollback;
