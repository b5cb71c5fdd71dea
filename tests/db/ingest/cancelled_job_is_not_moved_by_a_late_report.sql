begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.make_job('a');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'd' || code, code => code, job_id => pg_temp.job('a'))),
  'stale cancelled 3', format('%s leaves a cancelled job cancelled', code)
)
  from upload_pipeline.event_codes
 where code in ('parse_started', 'parse_ready', 'parse_partial', 'parse_failed', 'parse_cancelled');
select is(
  pg_temp.summary(pg_temp.receive_content(delivery_id => 'content', job_id => pg_temp.job('a'), content => '# a')),
  'stale cancelled 3', 'content leaves a cancelled job cancelled'
);
select is_empty('select * from upload_pipeline.contents', 'late content is not kept');
select is((select count(*) from upload_pipeline.events), 3::bigint, 'no event is inserted');

select * from finish();
rollback;
