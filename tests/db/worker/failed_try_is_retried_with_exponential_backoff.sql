begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(16);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('a');
select pg_temp.claim();
select is(
  pg_temp.fail('a', '{"code": "TIMEOUT", "error": "No answer.", "http": 504}'), 'applied uploaded 3 event',
  'the receipt of a failed try says applied and the same status'
);
select results_eq(
  $$select code, type::text, severity::text, from_status, to_status, payload - 'run_after' from upload_pipeline.events where version = 3$$,
  $$values ('stage_retried', 'retry', 'warn', 'uploaded', 'uploaded',
            jsonb '{"code": "TIMEOUT", "error": "No answer.", "http": 504, "leased_by": "w"}')$$,
            'the failed try has its event'
);
select results_eq(
  'select leased_by, attempt, last_error from upload_pipeline.job_overview',
  $$values (null::text, 1, jsonb '{"code": "TIMEOUT", "error": "No answer.", "http": 504}')$$,
  'the lease ends, the attempt stays and last_error is set'
);
select is(
  (select (e.payload ->> 'run_after')::timestamptz from upload_pipeline.events as e where e.version = 3),
  (select run_after from upload_pipeline.upload_jobs), 'the event has the time of the next try'
);
select is(pg_temp.claim(), null, 'the job cannot be claimed at once');

-- For each number of tries, 500 values: 3 s x 2^tries, at most 300 s, with 25 % jitter.
select results_eq(
  $$select tries, min(pause) >= 0.75 * expected, max(pause) <= 1.25 * expected, max(pause) - min(pause) > 0.3 * expected
      from (values (0, 3), (1, 6), (2, 12), (6, 192), (7, 300), (1000, 300)) as t (tries, expected)
     cross join lateral (
       select extract(epoch from upload_pipeline.backoff(t.tries)) as pause from generate_series(1, 500)
     ) as p
     group by tries, expected
     order by tries$$,
  'select tries, true, true, true from unnest(array[0, 1, 2, 6, 7, 1000]) as tries',
  'backoff() has its base, doubling, cap and jitter'
);
select cmp_ok(
  upload_pipeline.backoff(tries => 2, base => '1 minute', cap => '1 hour'), '>=', interval '3 minutes',
  'backoff() uses a given base'
);
select cmp_ok(
  upload_pipeline.backoff(tries => 2, base => '1 hour', cap => '2 hours'), '<=', interval '2.5 hours',
  'backoff() uses a given cap'
);

create function pg_temp.pause() returns numeric
language sql as $$
  select extract(epoch from j.run_after - upload_pipeline.clock()) from upload_pipeline.upload_jobs as j
$$;
select ok(pg_temp.pause() between 2.25 and 3.75, 'the first backoff is 3 s with 25 % jitter');
select pg_temp.set_clock('2026-01-01 12:01+00');
select pg_temp.claim(), pg_temp.fail('a');
select ok(pg_temp.pause() between 4.5 and 7.5, 'the second backoff is 6 s with 25 % jitter');
select pg_temp.set_clock('2026-01-01 12:02+00');
select pg_temp.claim();
select is(
  pg_temp.fail('a', '{"code": "LAST", "error": "x"}'), 'applied failed_parse 5 event',
  'the third failed try fails the job'
);
select results_eq(
  'select code, error from upload_pipeline.failed_jobs', $$values ('LAST', 'x')$$, 'the dead letter has the last error'
);
select is(
  (select (payload ->> 'tries')::integer from upload_pipeline.events where version = 5), 3, 'the event has the number of tries'
);

-- Base, cap and number of tries are columns of the status.
update upload_pipeline.statuses set retry_base = '1 minute', retry_cap = '90 seconds', max_tries = 2 where status = 'uploaded';
select upload_pipeline.retry_job(job_id => pg_temp.job('a'));
select pg_temp.claim(), pg_temp.fail('a');
select ok(pg_temp.pause() between 45 and 75, 'a status uses its own backoff');
select pg_temp.set_clock('2026-01-01 12:10+00');
select pg_temp.claim();
select is(pg_temp.fail('a'), 'applied failed_parse 8 event', 'a status uses its own number of tries');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
