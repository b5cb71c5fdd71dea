begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(12);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
create function pg_temp.to_ready(parse_job_id text, minute integer) returns text
language plpgsql as $$
begin
  perform pg_temp.set_clock(timestamptz '2026-01-01 12:00+00' + minute * interval '1 minute');
  perform upload_pipeline.record_submission(
    job_id => pg_temp.job('a'), attempt => (select j.attempt from upload_pipeline.upload_jobs as j), parse_job_id => to_ready.parse_job_id
  );
  perform pg_temp.receive_event(delivery_id => to_ready.parse_job_id, code => 'parse_ready', parse_job_id => to_ready.parse_job_id);
  return pg_temp.claim('parse_ready');
end;
$$;

select is(pg_temp.to_ready('p1', 1), 'a', 'a worker claims a result that it cannot use');
select is(
  pg_temp.fail('a', start_over => true), 'applied uploaded 5 event',
  'fail_job with start_over moves the job to uploaded'
);
select results_eq(
  $$select code, type::text, from_status, to_status, payload ->> 'attempt' from upload_pipeline.events where version = 5$$,
  $$values ('parse_restarted', 'retry', 'parse_ready', 'uploaded', '2')$$, 'the restart has its event'
);
select results_eq(
  $$select attempt, max_attempts, last_error ->> 'code',
           run_after - timestamptz '2026-01-01 12:01+00' between interval '2.25 s' and interval '3.75 s', deadline_at
      from upload_pipeline.job_overview$$,
  $$values (2, 3, 'boom', true, timestamptz '2026-01-01 13:01+00')$$, 'the job is in attempt 2 and has a backoff'
);
select is(
  pg_temp.summary(pg_temp.receive_event(delivery_id => 'late', code => 'parse_ready', parse_job_id => 'p1')), 'stale uploaded 5',
  'a late report of attempt 1 is stale'
);
select pg_temp.to_ready('p2', 2);
select is(pg_temp.fail('a', start_over => true), 'applied uploaded 8 event', 'a second restart is applied');
select pg_temp.to_ready('p3', 3);
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a', parse_job_id => 'p3');
select is(
  pg_temp.fail('a', start_over => true), 'applied parse_ready 11 event',
  'a job whose content waits is retried in place, so that nothing is paid twice'
);
select is(
  (select attempt from upload_pipeline.upload_jobs), 3, 'the retry in place keeps the attempt'
);
delete from upload_pipeline.webhook_deliveries where content_ordinal = 1;
delete from upload_pipeline.contents;
select pg_temp.set_clock('2026-01-01 12:04+00');
select pg_temp.claim('parse_ready');
select is(
  pg_temp.fail('a', start_over => true), 'applied failed_parse 12 event', 'a restart beyond max_attempts fails the job'
);

select pg_temp.make_job('b');
select pg_temp.claim();
select is(
  pg_temp.fail('b', start_over => true), 'applied uploaded 3 event', 'a status without a way back is retried in place'
);
select is(
  (select attempt from upload_pipeline.upload_jobs where job_id = pg_temp.job('b')), 1, 'that retry keeps the attempt'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
