begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

-- The clock is two days ahead for a while.
select pg_temp.set_clock('2026-01-03 12:00+00');
select pg_temp.make_job('moved');
select pg_temp.make_job('asked');
select upload_pipeline.record_submission(job_id => pg_temp.job('asked'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('failed');
select is(pg_temp.claim(), 'failed moved', 'both jobs are claimed while the clock is ahead');
select pg_temp.fail('failed');

select pg_temp.make_job('kept', confirmed => false);
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('kept'), content => '# x');
create function pg_temp.claim_content() returns text
language sql as $$
  select n.name from upload_pipeline.claim_contents() as c join named_jobs as n on n.job_id = c.job_id
$$;

select pg_temp.set_clock('2026-01-01 12:00+00');
select is(pg_temp.claim_content(), 'kept', 'content that waits for storage is claimed by the right clock');
select is(pg_temp.claim_content(), null, 'and once only');
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


select lives_ok(
  $$select upload_pipeline.defer_job(
      job_id => pg_temp.job('failed'), lease_token => pg_temp.token('failed'), until => '2026-01-20 12:00+00',
      error => '{"code": "budget_exceeded", "error": "Next window."}')$$,
  'a job of the wrong time is deferred for longer than the clock was wrong'
);
select is(pg_temp.claim(), null, 'it is left alone, or it would be claimed and deferred again and again');
select pg_temp.set_clock('2026-01-20 12:00+00');
select ok('failed' = any (string_to_array(pg_temp.claim(), ' ')), 'and comes when it was said to');

select * from finish();
rollback;
