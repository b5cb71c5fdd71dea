begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

-- The clock is two days ahead for a while.
select pg_temp.set_clock('2026-01-03 12:00+00');
select pg_temp.make_job('moved');
select pg_temp.make_job('asked');
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('failed');
select is(pg_temp.claim(), 'failed moved', 'both jobs are claimed while the clock is ahead');
select pg_temp.fail('failed');

select pg_temp.set_clock('2026-01-01 12:00+00');
select is(pg_temp.claim(), 'failed', 'a job that failed is claimed by the right clock, and needs no day of patience');
select is(pg_temp.claim('parse_queued'), 'asked', 'a job that waits for the parser is asked about');

select is(
  (select upload_pipeline.defer_job(
     job_id => pg_temp.job('asked'), lease_token => pg_temp.token('asked'), until => '2026-01-01 12:10+00',
     error => '{"code": "not_ready", "error": "Still at it."}')).outcome,
  'applied', 'the job is deferred by the right clock'
);
select is(pg_temp.claim('parse_queued'), null, 'and is not claimed again before that time');

select is(
  (select leased_until from upload_pipeline.upload_jobs where job_id = pg_temp.job('moved')), null,
  'a lease that ends in two days was ended by the claims'
);
select is(pg_temp.claim(), null, 'its job has one failed try, and comes again after the backoff');
select pg_temp.set_clock('2026-01-01 12:00:05+00');
select is(pg_temp.claim(), 'moved', 'after the backoff it is claimed');

select * from finish();
rollback;
