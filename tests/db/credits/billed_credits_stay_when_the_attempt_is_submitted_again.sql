begin;
\ir ../jobs.psql
\ir ../credits.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:50+00');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'hour', credits => 1000);
select pg_temp.make_job('a');
select pg_temp.claim(lease => '1 day');
select pg_temp.reserve('a', 30);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p1');
select pg_temp.set_clock('2026-01-01 12:51+00');
select is(pg_temp.settle('a', 10), 'applied', 'the first submission was billed');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
update upload_pipeline.upload_jobs set attempt = 1;
select pg_temp.claim(lease => '1 day');

savepoint before;
select is(pg_temp.reserve('a', 30), 'applied 1: 30', 'the attempt is submitted again: reserved apart');
select is(pg_temp.used(period => 'hour'), 40::numeric, 'both count');
select is(pg_temp.settle('a', 0), 'applied', 'it never reached the provider');
select is(pg_temp.used(period => 'hour'), 10::numeric, 'what was billed before stays');
rollback to before;

select pg_temp.reserve('a', 30);
select pg_temp.set_clock('2026-01-01 13:05+00');
select pg_temp.reserve('a', 30, again => true);
select is(pg_temp.used(period => 'hour'), 30::numeric, 'the open one moves to the window of now, alone');
select upload_pipeline.set_credit_cap(owner_id => null, period => 'hour', credits => 1000);
select is(pg_temp.used(period => 'hour'), 30::numeric, 'which is what a recount finds');
select is(
  upload_pipeline.settle_credits(
    job_id => pg_temp.job('a'), attempt => 1, credits => 10, parse_job_id => 'p1'
  )::text,
  'duplicate', 'a provider job is not paid twice'
);
select upload_pipeline.record_submission(job_id => pg_temp.job('a'), attempt => 1, parse_job_id => 'p2');
select pg_temp.set_clock('2026-01-01 13:20+00');
select results_eq(
  'select reserved, parse_job_ids, paid_job_ids from upload_pipeline.claim_reservations()',
  $$values (30::numeric, array['p2'], array['p1'])$$, 'who settles it asks for the provider job of this submission'
);
select is(
  upload_pipeline.settle_credits(
    job_id => pg_temp.job('a'), attempt => 1, credits => 25, parse_job_id => 'p2'
  )::text,
  'applied', 'and settles that'
);
select is(pg_temp.used(period => 'hour'), 25::numeric, 'in its window');
select results_eq(
  'select ordinal, reserved, billed from upload_pipeline.credit_reservations order by ordinal',
  'values (1, 30::numeric, 10::numeric), (2, 30, 25)', 'each submission has a row'
);
select is(pg_temp.settle('a', 1), 'duplicate', 'all is settled');

select * from finish();
rollback;
