begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(19);

select pg_temp.set_clock('2026-01-01 12:00+00');
create function pg_temp.advance(name text, code text, keep_lease boolean default false, payload jsonb default '{}') returns text
language sql as $$
  select pg_temp.summary(upload_pipeline.advance_job(
    job_id => pg_temp.job(advance.name), lease_token => pg_temp.token(advance.name), code => advance.code,
    payload => advance.payload, keep_lease => advance.keep_lease
  ))
$$;

select pg_temp.make_job('a');
select pg_temp.claim(), pg_temp.fail('a');
select pg_temp.set_clock('2026-01-01 12:01+00');
select pg_temp.claim();
select is(
  pg_temp.advance('a', 'parse_started', payload => '{"tier": "fast"}', keep_lease => true), 'applied parse_queued 4 event',
  'a start'
);
select results_eq(
  $$select leased_by, leased_until, last_error, deadline_at from upload_pipeline.job_overview$$,
  $$values ('w', timestamptz '2026-01-01 12:02+00', null::jsonb, timestamptz '2026-01-01 12:31+00')$$,
  'under the same lease; what failed before is past'
);
select results_eq(
  $$select code, payload from upload_pipeline.events where version = 4$$, $$values ('parse_started', jsonb '{"tier": "fast"}')$$,
  'its event'
);
select is(pg_temp.advance('a', 'parse_ready'), 'applied parse_ready 5 event', 'the next step');
select is(pg_temp.token('a'), null, 'which ends the lease');
select is(pg_temp.claim('parse_ready'), 'a', 'anybody may go on');
select is(
  pg_temp.advance('a', 'parse_truncated', keep_lease => true), 'applied parse_ready 6 event', 'a note keeps the status'
);
select isnt(pg_temp.token('a'), null, 'and the lease');

select throws_ok(format('select pg_temp.advance(%L, %L, payload => %L)', 'a', code, payload), sqlstate, null, name)
  from (values
    ('a failure', 'parse_failed', '{}', 'UP006'),
    ('a retry', 'stage_retried', '{}', 'UP006'),
    ('an operator''s word', 'job_cancelled', '{}', 'UP006'),
    ('an unknown word', 'whatever', '{}', 'UP006'),
    ('no word', null, '{}', 'UP006'),
    ('no payload', 'parse_truncated', null, 'UP006'),
    ('a payload that is none', 'parse_truncated', '[]', 'UP006'),
    ('a step that there is not', 'job_completed', '{}', 'UP002'),
    ('a success without content', 'parse_completed', '{}', 'UP002')
  ) as refused (name, code, payload, sqlstate);

select pg_temp.make_parsed_job('b');
select pg_temp.claim('parsed');
select is(pg_temp.advance('b', 'job_completed', keep_lease => true), 'applied complete 4 event', 'the end');
select results_eq(
  $$select leased_by, deadline_at from upload_pipeline.job_overview where job_id = pg_temp.job('b')$$,
  'values (null::text, null::timestamptz)', 'of the lease too, whatever was asked'
);

select * from finish();
rollback;
