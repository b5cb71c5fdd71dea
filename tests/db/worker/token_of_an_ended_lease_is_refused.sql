begin;
\ir ../search_path.psql
\ir ../jobs.psql
select * from no_plan();

select pg_temp.set_clock('2026-01-01 12:00+00');
create temp table call (function text, statement text) on commit drop;
insert into call values
  ('heartbeat', 'select upload_pipeline.heartbeat(job_id => %L, lease_token => %L)'),
  ('release_lease', 'select upload_pipeline.release_lease(job_id => %L, lease_token => %L)'),
  ('advance_job', $$select upload_pipeline.advance_job(job_id => %L, lease_token => %L, code => 'parse_started')$$),
  ('fail_job', $$select upload_pipeline.fail_job(job_id => %L, lease_token => %L, error => '{"code": "x", "error": "x"}')$$),
  ('defer_job', $$select upload_pipeline.defer_job(job_id => %L, lease_token => %L, error => '{"code": "x", "error": "x"}')$$),
  ('receive_artifacts', $$select upload_pipeline.receive_artifacts(job_id => %L, lease_token => %L, artifacts => '[]')$$),
  ('finish_artifacts', $$select upload_pipeline.finish_artifacts(job_id => %L, lease_token => %L, paths => '{}')$$),
  ('reserve_credits', 'select * from upload_pipeline.reserve_credits(job_id => %L, lease_token => %L, credits => 1)');
select bag_eq(
  'select function from call',
  $$select p.proname::text
      from pg_proc as p
     where p.pronamespace = 'upload_pipeline'::regnamespace
       and p.prosecdef
       and 'lease_token' = any (p.proargnames[1:p.pronargs])$$,
  'every function that takes a lease token is tested'
);

-- One job for each way to lose a lease, and its lost token.
create temp table lost (name text, token uuid) on commit drop;
select pg_temp.make_job(name)
  from unnest(array['to a webhook', 'to an operator', 'by cancelling', 'to a submission', 'given back', 'failed', 'run out', 'never']) as name;
select pg_temp.claim(batch => 100);
insert into lost select n.name, pg_temp.token(n.name) from named_jobs as n;
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('to a webhook'));
select upload_pipeline.release_job(job_id => pg_temp.job('to an operator'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('by cancelling'));
select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('to a submission'), attempt => 1, parse_job_id => 'p1')),
  'applied parse_queued 3 event', 'a submission needs no token'
);
select upload_pipeline.release_lease(job_id => pg_temp.job('given back'), lease_token => pg_temp.token('given back'));
select pg_temp.fail('failed');
select pg_temp.set_clock('2026-01-01 12:00:30+00');
select upload_pipeline.heartbeat(job_id => pg_temp.job('never'), lease_token => pg_temp.token('never'), lease => '1 hour');
select pg_temp.set_clock('2026-01-01 12:01:00.001+00');
select isnt(pg_temp.claim(batch => 1, worker => 'next'), null, 'another worker claims one of the jobs');
select is(pg_temp.token('run out'), null, 'the expired lease was swept');
update lost set token = gen_random_uuid() where name = 'never';

create temp view refused as
  select c.function, l.name, format(c.statement, pg_temp.job(l.name), l.token) as statement from call as c, lost as l;
select throws_ok(statement, 'UP003', null, format('%s: lost %s', function, name)) from refused order by name, function;
select throws_ok(format(statement, pg_temp.job('never'), null), 'UP003', null, function || ': no token') from call;
select throws_ok(format(statement, pg_temp.job('failed'), null), 'UP003', null, function || ': no token for no lease') from call;
select throws_ok(format(statement, gen_random_uuid(), gen_random_uuid()), 'UP001', null, function || ': an unknown job') from call;

select upload_pipeline.erase_document(document_id => pg_temp.document('never'));
select throws_ok(format(c.statement, pg_temp.job('never'), l.token), 'UP001', null, c.function || ': an erased job')
  from call as c, lost as l where l.name = 'never';

select is(
  pg_temp.summary(upload_pipeline.record_submission(job_id => pg_temp.job('by cancelling'), attempt => 1, parse_job_id => 'p2')),
  'stale cancelled 3', 'a submission is recorded after the lease was lost'
);
select is(
  (select job_id from upload_pipeline.provider_jobs where parse_job_id = 'p2'), pg_temp.job('by cancelling'),
  'its provider job is recorded for that job'
);

select * from finish();
rollback;
