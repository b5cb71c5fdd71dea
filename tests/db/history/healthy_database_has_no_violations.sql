begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select is_empty(
  'select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing in an empty database'
);
select pg_temp.make_job('fresh', confirmed => false);
select pg_temp.make_job('queued');
select upload_pipeline.record_submission(job_id => pg_temp.job('queued'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('retried');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_failed', job_id => pg_temp.job('retried'));
select upload_pipeline.retry_job(job_id => pg_temp.job('retried'));
select pg_temp.make_job('parsed');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('parsed'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('parsed'), ordinal => 1);
select pg_temp.make_job('kept');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('kept'), content => '# a');
select pg_temp.receive_content(delivery_id => 'd4', job_id => pg_temp.job('kept'), content => '{}', recognised => false);
select pg_temp.make_job('cancelled');
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select pg_temp.receive_event(delivery_id => 'd5', code => 'parse_ready', parse_job_id => 'p9');
select pg_temp.receive_event(delivery_id => 'd6', code => null, event_type => 'x');
select is_empty('select * from upload_pipeline.check_integrity()', 'it finds nothing while jobs are in all stages');
select lives_ok('set constraints all immediate', 'all deferred constraints hold');

select * from finish();
rollback;
