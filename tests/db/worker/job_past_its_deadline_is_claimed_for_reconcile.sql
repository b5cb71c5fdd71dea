begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.set_clock('2026-01-01 12:00:01+00');
select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p2');
select pg_temp.make_job('unconfirmed', confirmed => false);
select upload_pipeline.record_submission(job_id => pg_temp.job('unconfirmed'), attempt => 1, parse_job_id => 'p3');

select is(pg_temp.claim('parse_queued'), null, 'jobs that the parser has are not claimable before their deadline');
select pg_temp.set_clock('2026-01-01 12:30:01+00');
select is(pg_temp.claim('parse_queued', batch => 1), 'a', 'a claim takes the job that is longest past its deadline');
select is(pg_temp.claim('parse_queued'), 'b', 'each job is claimed once; an unconfirmed job is not claimed');
select upload_pipeline.defer_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), until => '2026-01-01 12:40+00',
  error => '{"code": "not_ready", "error": "Still at it."}'
);
select is(pg_temp.claim('parse_queued'), null, 'a deferred job is not claimed at once');
select results_eq(
  $$select run_after, deadline_at, overdue from upload_pipeline.job_overview where job_id = pg_temp.job('a')$$,
  $$values (timestamptz '2026-01-01 12:40+00', timestamptz '2026-01-01 12:40+00', false)$$,
  'the deferral has moved its deadline'
);
select pg_temp.set_clock('2026-01-01 12:40+00');
select is(pg_temp.claim('parse_queued'), 'a', 'at the new deadline it is claimed again');
select is(pg_temp.fail('a'), 'applied parse_queued 5 event', 'a failed try of reconcile is applied');
select is(
  (select deadline_at - timestamptz '2026-01-01 12:40+00' between interval '2.25 s' and interval '3.75 s'
     from upload_pipeline.upload_jobs where job_id = pg_temp.job('a')),
  true, 'the deadline moves by the backoff'
);

select * from finish();
rollback;
