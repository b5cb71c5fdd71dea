begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(5);

select pg_temp.make_job('uploaded');
select pg_temp.make_job('parse_queued');
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_started', job_id => pg_temp.job('parse_queued'));
select pg_temp.make_job('parse_ready');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_ready', job_id => pg_temp.job('parse_ready'));
select pg_temp.make_job('failed_parse');
select pg_temp.receive_event(delivery_id => 'd3', code => 'parse_failed', job_id => pg_temp.job('failed_parse'));
select is(
  pg_temp.status(name) || ' ' || split_part(pg_temp.summary(pg_temp.receive_content(delivery_id => name, job_id => job_id, content => '# a')), ' ', 1)
    || ' ' || (upload_pipeline.finish_content(job_id => job_id, ordinal => 1)).status,
  name || ' kept parsed', format('content moves a job from %s to parsed', name)
)
  from named_jobs;
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
