begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.make_job('a');
select pg_temp.receive_event(delivery_id => 'd', code => 'parse_failed', job_id => pg_temp.job('a'));

update upload_pipeline.transitions set enabled = false
 where (from_status, to_status, event_type) = ('failed_parse', 'uploaded', 'retry');
select throws_ok(
  $$select upload_pipeline.retry_job(job_id => pg_temp.job('a'))$$, 'UP002', null,
  'a retry does not follow a disabled way back'
);
select lives_ok(
  $$insert into upload_pipeline.transitions (from_status, to_status, event_type)
    values ('failed_parse', 'parse_ready', 'retry')$$,
  'another way back may be inserted beside the disabled one'
);
select is(
  pg_temp.summary(upload_pipeline.retry_job(job_id => pg_temp.job('a'))), 'applied parse_ready 4 event',
  'a retry follows the enabled way back'
);
select throws_ok(
  $$insert into upload_pipeline.transitions (from_status, to_status, event_type)
    values ('failed_parse', 'parse_queued', 'retry')$$,
  '23505', null, 'a second enabled way back is refused'
);
select throws_ok(
  $$update upload_pipeline.transitions set enabled = true
     where (from_status, to_status, event_type) = ('failed_parse', 'uploaded', 'retry')$$,
  '23505', null, 'the old way back cannot be enabled beside the new one'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'histories that used the old way back stay valid');

select * from finish();
rollback;
