begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

select pg_temp.set_clock('2026-01-01 12:00+00');
set local timezone = 'Asia/Tokyo';
set local datestyle = 'German';
create function pg_temp.why(name text) returns text
language sql volatile as $$
  select o.waits_because from upload_pipeline.job_overview as o where o.job_id = pg_temp.job(why.name)
$$;
select pg_temp.make_job('a'), pg_temp.make_job('b', confirmed => false);
select is(pg_temp.why('b'), 'its upload is not confirmed', 'a job without its upload');
select is(pg_temp.why('a'), 'waits for a worker', 'a job that is due');
select upload_pipeline.pause_stage(status => 'uploaded', until => '2026-01-01 13:00+00', reason => 'the key is revoked');
select is(
  pg_temp.why('a'), format('stage paused by %s until 2026-01-01 13:00:00Z because: the key is revoked', session_user),
  'a job of a paused stage'
);
select upload_pipeline.resume_stage(status => 'uploaded');
select pg_temp.claim(worker => 'host-1');
select is(pg_temp.why('a'), 'leased by host-1 until 2026-01-01 12:01:00Z', 'a job that a worker holds');
select pg_temp.set_clock('2026-01-01 12:02+00');
select is(pg_temp.why('a'), 'the lease of host-1 ended at 2026-01-01 12:01:00Z, the next claim takes it back', 'an expired lease');
select upload_pipeline.defer_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), error => '{"code": "x", "error": "y"}', until => '2026-01-01 12:30+00'
);
select is(pg_temp.why('a'), 'backs off until 2026-01-01 12:30:00Z', 'a job that was deferred');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select is(pg_temp.why('a'), 'waits for the provider until 2026-01-01 12:32:00Z', 'a job that the provider has');
select pg_temp.set_clock('2026-01-01 12:40+00');
select is(pg_temp.why('a'), 'past its deadline since 2026-01-01 12:32:00Z, waits for a worker', 'a job past its deadline');
select pg_temp.claim('parse_queued');
select upload_pipeline.defer_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), error => '{"code": "x", "error": "y"}', until => '2026-01-01 13:00+00'
);
select is(pg_temp.why('a'), 'backs off until 2026-01-01 13:00:00Z', 'a job that was asked about');
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select is(pg_temp.why('a'), null, 'a finished job waits for nothing');
select pg_temp.make_parsed_job('c');
select is(pg_temp.why('c'), 'waits for a stage of your own', 'a job with its content, where no worker has to come');

select * from finish();
rollback;
