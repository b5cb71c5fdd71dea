begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

insert into upload_pipeline.event_codes (code, event_type, severity, to_status, description)
values ('parse_rejected', 'stage_error', 'error', 'failed_parse', 'Not fit for use.');
insert into upload_pipeline.transitions (from_status, to_status, event_type) values ('parsed', 'failed_parse', 'stage_error');
update upload_pipeline.statuses set failure_code = 'parse_rejected' where status = 'parsed';
select pg_temp.make_parsed_job('a');
select pg_temp.claim('parsed');
select is(
  pg_temp.fail('a', permanent => true), 'applied failed_parse 4 event',
  'the stage rejects the content and fails the job'
);
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim();
select throws_ok(
  $$select upload_pipeline.advance_job(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), code => 'parse_completed')$$,
  'UP002', null, 'after a retry, parse_completed does not apply to the old content'
);
select is(pg_temp.status('a'), 'uploaded', 'the job stays in uploaded');

select * from finish();
rollback;
