begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(8);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.make_job('b');
select upload_pipeline.record_submission(job_id => pg_temp.job('b'), attempt => 1, parse_job_id => 'p2');
select pg_temp.make_job('unconfirmed', confirmed => false);
select upload_pipeline.record_submission(job_id => pg_temp.job('unconfirmed'), attempt => 1, parse_job_id => 'p3');

select is(pg_temp.claim('parse_queued'), null, 'the parser has them: nobody is to claim them');
select pg_temp.set_clock('2026-01-01 12:30+00');
select is(pg_temp.claim('parse_queued', batch => 1), 'a', 'past the deadline one is');
select is(pg_temp.claim('parse_queued'), 'b', 'once');
select upload_pipeline.defer_job(
  job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'), until => '2026-01-01 12:40+00',
  error => '{"code": "not_ready", "error": "Still at it."}'
);
select is(pg_temp.claim('parse_queued'), null, 'one that is not ready is not asked about at once');
select results_eq(
  $$select run_after, deadline_at, overdue from upload_pipeline.job_overview where job_id = pg_temp.job('a')$$,
  $$values (timestamptz '2026-01-01 12:40+00', timestamptz '2026-01-01 12:40+00', false)$$, 'its deadline moved'
);
select pg_temp.set_clock('2026-01-01 12:40+00');
select is(pg_temp.claim('parse_queued'), 'a', 'it is asked about again');
select is(pg_temp.fail('a'), 'applied parse_queued 5 event', 'a question that failed');
select is(
  (select deadline_at - timestamptz '2026-01-01 12:40+00' between interval '2.25 s' and interval '3.75 s'
     from upload_pipeline.upload_jobs where job_id = pg_temp.job('a')),
  true, 'is asked again after a pause'
);

select * from finish();
rollback;
