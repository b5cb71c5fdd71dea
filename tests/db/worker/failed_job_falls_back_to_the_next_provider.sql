begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(26);

create function pg_temp.claim_at(status text) returns void
language sql as $$
  select from upload_pipeline.claim_jobs(
    status => claim_at.status, worker => 'w', batch => 100, providers => array['llamacloud']
  );
  select from upload_pipeline.claim_jobs(
    status => claim_at.status, worker => 'w', batch => 100, providers => array['docling', 'reducto', 'local']
  )
$$;
-- Fails the leased job for good, or for this try. Returns its status, provider and attempt, and the code of the event.
create function pg_temp.break(name text, code text, permanent boolean default true) returns text
language plpgsql as $$
begin
  perform upload_pipeline.fail_job(
    job_id => pg_temp.job(break.name), lease_token => pg_temp.token(break.name),
    error => jsonb_build_object('code', break.code, 'error', 'It broke.'), permanent => break.permanent
  );
  return (
    select format('%s %s %s %s', j.status, j.provider, j.attempt, e.code)
      from upload_pipeline.upload_jobs as j
      join upload_pipeline.events as e on e.job_id = j.job_id and e.version = j.version
     where j.job_id = pg_temp.job(break.name)
  );
end
$$;

-- The table.
select upload_pipeline.set_fallback(provider => 'llamacloud', next_provider => 'reducto');
select upload_pipeline.set_fallback(provider => 'llamacloud', next_provider => 'docling');
select upload_pipeline.set_fallback(provider => 'llamacloud', code => 'PROTECTED', next_provider => 'reducto');
select upload_pipeline.set_fallback(provider => 'reducto', next_provider => 'llamacloud');
select upload_pipeline.set_fallback(provider => 'docling', code => 'TIMEOUT', next_provider => 'local');
select upload_pipeline.set_fallback(provider => 'local', next_provider => 'docling');
select upload_pipeline.set_fallback(provider => 'local', code => 'NONE', next_provider => 'docling');
select upload_pipeline.set_fallback(provider => 'local', code => 'NONE', next_provider => null);
select set_eq(
  'select provider, code, next_provider from upload_pipeline.fallbacks',
  $$values ('llamacloud', null, 'docling'), ('llamacloud', 'PROTECTED', 'reducto'), ('reducto', null, 'llamacloud'),
           ('docling', 'TIMEOUT', 'local'), ('local', null, 'docling')$$,
  'set_fallback writes, replaces and removes rows'
);
select throws_ok(format('select upload_pipeline.set_fallback(%L, %L, %L)', provider, next_provider, code), 'UP006')
  from (values ('llamacloud', 'llamacloud', null), ('nobody', 'docling', null), ('docling', 'nobody', null),
               (null, 'docling', null), ('docling', 'local', 'no code')) as wrong (provider, next_provider, code);

-- A failure for good, where it was submitted.
select pg_temp.make_job(name) from unnest(array['a', 'b', 'c', 'd', 'e']) as name;
select pg_temp.claim_at('uploaded');
select is(pg_temp.break('a', 'UNREADABLE'), 'uploaded docling 2 fell_back', 'a failure falls back in place of a dead letter');
select results_eq(
  $$select payload - 'leased_by' from upload_pipeline.events where code = 'fell_back'$$,
  $$values ('{"code": "UNREADABLE", "error": "It broke.", "tries": 1, "provider": "docling", "from_provider": "llamacloud",
              "attempt": 2}'::jsonb)$$,
  'its event says what failed, and which provider is next'
);
select is(
  (select last_error ->> 'code' from upload_pipeline.upload_jobs where job_id = pg_temp.job('a')), 'UNREADABLE',
  'the last error stays'
);
select is(
  (select count(*) from upload_pipeline.events where to_status = 'failed_parse'), 0::bigint, 'no dead letter was written'
);
select is(pg_temp.break('b', 'PROTECTED'), 'uploaded reducto 2 fell_back', 'a code with a row of its own has another next');

-- Never in a circle.
select pg_temp.claim_at('uploaded');
select is(pg_temp.break('b', 'X'), 'failed_parse reducto 2 parse_failed', 'a job never comes back to a provider that it left');
select is(pg_temp.break('a', 'OTHER'), 'failed_parse docling 2 parse_failed', 'a code without a fallback is a dead letter');
select upload_pipeline.retry_job(job_id => pg_temp.job('a'), provider => 'local');
select pg_temp.claim_at('uploaded');
select is(
  pg_temp.break('a', 'X'), 'failed_parse local 3 parse_failed', 'nor to one from which a person has taken it'
);

-- A code with a row of its own has no other.
select upload_pipeline.set_fallback(provider => 'local', code => 'NONE', next_provider => 'reducto');
select upload_pipeline.retry_job(job_id => pg_temp.job('b'), provider => 'local');
select pg_temp.claim_at('uploaded');
select is(
  pg_temp.break('b', 'NONE'), 'failed_parse local 3 parse_failed',
  'a code whose own row leads back is a dead letter, whatever the row for all codes says'
);
select upload_pipeline.set_fallback(provider => 'local', code => 'NONE', next_provider => null);

-- Tries are counted anew at the next provider.
select is(pg_temp.break('c', 'X', permanent => false), 'uploaded llamacloud 1 stage_retried', 'the first try is repeated');
update upload_pipeline.statuses set max_tries = 1 where status = 'uploaded';
update upload_pipeline.upload_jobs set run_after = upload_pipeline.clock() where job_id = pg_temp.job('c');
select pg_temp.claim_at('uploaded');
select is(pg_temp.break('c', 'X', permanent => false), 'uploaded docling 2 fell_back', 'the last try falls back');
update upload_pipeline.statuses set max_tries = 2 where status = 'uploaded';
select pg_temp.claim_at('uploaded');
select is(pg_temp.break('c', 'X', permanent => false), 'uploaded docling 2 stage_retried', 'the next provider gets all tries');

-- From a later status, and all attempts used.
select upload_pipeline.record_submission(pg_temp.job('d'), 1, 'P-d');
update upload_pipeline.upload_jobs set max_attempts = 1 where job_id = pg_temp.job('d');
select is(
  (upload_pipeline.receive_event(
    source => 'llamacloud', delivery_id => 'd-1', body_sha256 => repeat('a', 64), event_type => 'parse.error',
    code => 'parse_failed', parse_job_id => 'P-d', payload => '{"error": "no"}'
  )).status::text, 'uploaded', 'a failure that a webhook reports falls back, too'
);
select results_eq(
  $$select provider, attempt, max_attempts, last_error from upload_pipeline.upload_jobs where job_id = pg_temp.job('d')$$,
  $$values ('docling', 2, 2, '{"code": "parse_failed", "error": "no"}'::jsonb)$$, 'with one attempt more'
);
select is(
  (upload_pipeline.receive_event(
    source => 'llamacloud', delivery_id => 'd-2', body_sha256 => repeat('b', 64), event_type => 'parse.success',
    code => 'parse_ready', parse_job_id => 'P-d'
  )).outcome::text, 'stale', 'a late success of the first provider is stale'
);

select is_empty('select from upload_pipeline.provider_requests', 'what has failed there needs no cancellation');

-- Nobody falls back while paid content waits for storage.
select upload_pipeline.record_submission(pg_temp.job('e'), 1, 'P-e');
select upload_pipeline.receive_content(
  source => 'llamacloud', delivery_id => 'e-1', body_sha256 => repeat('c', 64), event_type => 'parse.result',
  job_id => pg_temp.job('e'), content => 'text', parse_job_id => 'P-e'
);
select is(
  (upload_pipeline.receive_event(
    source => 'llamacloud', delivery_id => 'e-2', body_sha256 => repeat('d', 64), event_type => 'parse.error',
    code => 'parse_failed', parse_job_id => 'P-e'
  )).status::text, 'failed_parse', 'a job whose content waits for storage does not fall back'
);

-- A stage after parsing.
select upload_pipeline.finish_content(pg_temp.job('e'), 1);
select is(
  (select status from upload_pipeline.upload_jobs where job_id = pg_temp.job('e')), 'parsed', 'its content is stored later'
);
select from upload_pipeline.claim_jobs(status => 'parsed', worker => 'w');
select is(pg_temp.break('e', 'X'), 'failed_stage llamacloud 1 stage_failed', 'a job with content does not fall back');

select is_empty('select * from upload_pipeline.check_integrity()', 'the database is healthy');

select * from finish();
rollback;
