begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.set_clock('2026-01-01 12:00+00');
insert into upload_pipeline.event_codes (code, event_type, severity, to_status, description)
values ('noted', 'stage_done', 'info', null, 'A step in place.');
select pg_temp.make_job(name)
  from unnest(array['a', 'b', 'lost', 'wrong code', 'no step', 'without content', 'wrong payload', 'twice']) as name;
select pg_temp.claim(batch => 100);

create temp table answer on commit drop as
select n.name, r.*
  from (
    select array_agg(c.name order by c.at) as names, array_agg(pg_temp.job(c.name) order by c.at) as job_ids,
           array_agg(case when c.name = 'lost' then gen_random_uuid() else pg_temp.token(c.name) end order by c.at)
             as lease_tokens,
           array_agg(c.code order by c.at) as codes, array_agg(c.payload::jsonb order by c.at) as payloads
      from (
        values (1, 'a', 'noted', '{"n": 1}'), (2, 'lost', 'noted', '{}'), (3, 'wrong code', 'parse_failed', '{}'),
               (4, 'no step', 'job_completed', '{}'), (5, 'without content', 'parse_completed', '{}'),
               (6, 'wrong payload', 'noted', '[]'), (7, 'b', 'noted', '{"n": 7}'), (8, 'nobody', 'noted', '{}')
      ) as c (at, name, code, payload)
  ) as call
 cross join lateral upload_pipeline.advance_jobs(call.job_ids, call.lease_tokens, call.codes, call.payloads) as r
 cross join lateral (select call.names[r.number] as name) as n;

select results_eq(
  'select number, name, outcome, sqlstate from answer order by number',
  $$values (1, 'a', 'applied', null), (2, 'lost', null, 'UP003'), (3, 'wrong code', null, 'UP006'),
           (4, 'no step', null, 'UP002'), (5, 'without content', null, 'UP002'), (6, 'wrong payload', null, 'UP006'),
           (7, 'b', 'applied', null), (8, 'nobody', null, 'UP001')$$,
  'each job has its own answer, and one that is refused stops no other'
);
select results_eq(
  $$select a.status, a.version, e.payload ->> 'n'
      from answer as a join upload_pipeline.events as e on e.event_id = a.event_id
     where a.outcome = 'applied' order by a.number$$,
  $$values ('uploaded', 3, '1'), ('uploaded', 3, '7')$$,
  'an answer names the event that was written, with the payload of its job'
);
select is(pg_temp.token('a'), null, 'a step ends the lease');
select isnt(pg_temp.token('wrong code'), null, 'a refusal does not');

select results_eq(
  $$select outcome, sqlstate
      from upload_pipeline.advance_jobs(
        array[pg_temp.job('twice'), pg_temp.job('twice')], array[pg_temp.token('twice'), pg_temp.token('twice')],
        array['noted', 'noted'], array['{}', '{}']::jsonb[]
      )
     order by number$$,
  $$values ('applied', null), (null, 'UP003')$$,
  'a job that is named twice takes one step'
);
select is_empty(
  'select * from upload_pipeline.advance_jobs(array[]::uuid[], array[]::uuid[], array[]::text[], array[]::jsonb[])',
  'no job has no answer'
);
select throws_ok(
  $$select * from upload_pipeline.advance_jobs(array[gen_random_uuid()], array[]::uuid[], array['noted'], array['{}'::jsonb])$$,
  'UP006', null, 'arrays of different lengths are refused'
);
select throws_ok(
  $$select * from upload_pipeline.advance_jobs(null, null, null, null)$$, 'UP006', null, 'and so is null'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'every status has its event');

select * from finish();
rollback;
