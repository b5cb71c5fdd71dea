begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select pg_temp.claim(lease => '1 minute');
select pg_temp.set_clock('2026-01-01 12:01+00');
select is(pg_temp.claim('parsed'), null, 'a claim at the very end of the lease sweeps nothing');
select isnt(pg_temp.token('a'), null, 'the job is still leased');
select pg_temp.set_clock('2026-01-01 12:01:00.001+00');
select is(pg_temp.claim(), null, 'a claim after the end sweeps the lease, and does not return the job yet');
select results_eq(
  $$select leased_by, status, version, attempt, last_error,
           run_after - timestamptz '2026-01-01 12:01:00.001+00' between interval '2.25 s' and interval '3.75 s'
      from upload_pipeline.job_overview$$,
  $$values (null::text, 'uploaded', 3, 1,
            jsonb '{"code": "lease_expired", "error": "Worker w sent no heartbeat before its lease expired."}', true)$$,
            'the swept job has the backoff of a failed try and an error'
);
select results_eq(
  $$select code, type::text, from_status, to_status, payload ->> 'leased_by' from upload_pipeline.events where version = 3$$,
  $$values ('lease_expired', 'retry', 'uploaded', 'uploaded', 'w')$$, 'the sweep has its event'
);

-- A claim ten minutes later, whose worker crashes.
create temp sequence round;
create function pg_temp.crash() returns text
language plpgsql as $$
declare
  v_now timestamptz := timestamptz '2026-01-01 13:00+00' + nextval('round') * interval '10 minutes';
begin
  perform pg_temp.set_clock(v_now);
  perform pg_temp.claim(worker => 'x', lease => '1 minute');
  perform pg_temp.set_clock(v_now + interval '2 minutes');
  perform pg_temp.claim('parsed');
  return pg_temp.status('a');
end;
$$;
select results_eq(
  'select pg_temp.crash() from generate_series(1, 7)',
  $$select 'uploaded' from generate_series(1, 7)$$, 'after eight crashes the job is still retried'
);
select is(
  pg_temp.crash(), 'failed_parse', 'the ninth crash fails the job'
);
select results_eq(
  'select code, error from upload_pipeline.failed_jobs',
  $$values ('lease_expired', 'Worker x sent no heartbeat before its lease expired.')$$, 'the dead letter has the reason'
);

select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2026-01-01 20:00+00');
select is(pg_temp.claim(), 'a', 'an operator''s retry makes the job claimable');
select pg_temp.fail('a');
select pg_temp.set_clock('2026-01-01 20:10+00');
select is(pg_temp.claim(), 'a', 'a failed try is retried');
select pg_temp.fail('a');
alter sequence round restart 100;
select results_eq(
  'select pg_temp.crash() from generate_series(1, 2)', array['uploaded', 'uploaded'],
  'two failed tries and two crashes do not fail the job'
);
select is(pg_temp.crash(), 'failed_parse', 'two failed tries and three crashes fail the job');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
