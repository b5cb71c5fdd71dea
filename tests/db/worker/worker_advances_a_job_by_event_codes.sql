begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(22);

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
  'parse_started moves the job to parse_queued'
);
select results_eq(
  $$select leased_by, leased_until, last_error, deadline_at from upload_pipeline.job_overview$$,
  $$values ('w', timestamptz '2026-01-01 12:02+00', null::jsonb, timestamptz '2026-01-01 12:31+00')$$,
  'keep_lease keeps the lease, and last_error is cleared'
);
select results_eq(
  $$select code, payload from upload_pipeline.events where version = 4$$, $$values ('parse_started', jsonb '{"tier": "fast"}')$$,
  'the step has its code and payload'
);
select is(pg_temp.advance('a', 'parse_ready'), 'applied parse_ready 5 event', 'parse_ready moves the job on');
select is(pg_temp.token('a'), null, 'a step without keep_lease ends the lease');
select is(pg_temp.claim('parse_ready'), 'a', 'another worker can claim the job');
select is(
  pg_temp.advance('a', 'parse_truncated', keep_lease => true), 'applied parse_ready 6 event',
  'a code without a status keeps the status'
);
select isnt(pg_temp.token('a'), null, 'it keeps the lease');

select throws_ok(format('select pg_temp.advance(%L, %L, payload => %L)', 'a', code, payload), sqlstate, null, name || ' is refused')
  from (values
    ('a failure code', 'parse_failed', '{}', 'UP006'),
    ('a retry code', 'stage_retried', '{}', 'UP006'),
    ('an operator''s code', 'job_cancelled', '{}', 'UP006'),
    ('an unknown code', 'whatever', '{}', 'UP006'),
    ('a null code', null, '{}', 'UP006'),
    ('a null payload', 'parse_truncated', null, 'UP006'),
    ('a payload that is not an object', 'parse_truncated', '[]', 'UP006'),
    ('a step without a transition', 'job_completed', '{}', 'UP002'),
    ('parse_completed without content', 'parse_completed', '{}', 'UP002')
  ) as refused (name, code, payload, sqlstate);

create function pg_temp.detail_of(name text, code text) returns text
language plpgsql as $$
declare
  v_detail text;
begin
  perform pg_temp.advance(name, code);
  return null;
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    return v_detail;
end
$$;
select is(
  pg_temp.detail_of('a', 'whatever'),
  'The job is parse_ready. Its legal codes: artifact_failed, parse_truncated, upload_confirmed. payload is a JSON object.',
  'the refusal of an unknown code lists the legal codes, without those that need content'
);

select pg_temp.make_parsed_job('b');
select pg_temp.claim('parsed');
select is(
  pg_temp.detail_of('b', 'whatever'),
  'The job is parsed. Its legal codes: job_completed. payload is a JSON object.',
  'the codes are those of the status'
);
select is(
  pg_temp.detail_of('b', 'parse_started'), 'Its legal codes: job_completed.',
  'a known code without a transition is refused with the legal codes too'
);
select is(
  pg_temp.advance('b', 'job_completed', keep_lease => true), 'applied complete 4 event',
  'job_completed moves the job to complete'
);
select results_eq(
  $$select leased_by, deadline_at from upload_pipeline.job_overview where job_id = pg_temp.job('b')$$,
  'values (null::text, null::timestamptz)', 'a terminal status ends the lease even with keep_lease'
);

select * from finish();
rollback;
