begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(16);

create function pg_temp.claim_of(variadic providers text[]) returns text
language sql volatile as $$
  select string_agg(n.name, ' ' order by n.name)
    from upload_pipeline.claim_jobs(
      status => 'uploaded', worker => 'w', batch => 10, providers => claim_of.providers
    ) as c
    join named_jobs as n on n.job_id = c.job_id
$$;
create function pg_temp.pause(until timestamptz, reason text, provider text default 'docling') returns timestamptz
language sql volatile as $$
  select upload_pipeline.pause_stage(status => 'uploaded', until => until, reason => reason, provider => provider)
$$;

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job(name) from unnest(array['a', 'b', 'c', 'd']) as name;
update upload_pipeline.upload_jobs as j
   set provider = case n.name when 'a' then 'docling' when 'b' then 'reducto' end
  from named_jobs as n
 where n.job_id = j.job_id;
select is(
  pg_temp.pause('2026-01-01 13:00+00', 'quota spent'), timestamptz '2026-01-01 13:00+00', 'it returns the end of the pause'
);
select is(pg_temp.claim_of('docling'), null, 'neither the provider''s jobs nor those that name none are claimed for it');
select is(
  (select served_at from upload_pipeline.providers where provider = 'docling'), timestamptz '2026-01-01 12:00+00',
  'its worker still counts as there'
);
select is(pg_temp.claim_of('reducto', 'docling'), 'b c d', 'the jobs of another, and those that name none, are claimed');
select results_eq(
  $$select distinct provider from upload_pipeline.upload_jobs where lease_token is not null$$, $$values ('reducto')$$,
  'they become jobs of the other'
);
select is(
  pg_temp.pause('2026-01-01 12:30+00', 'shorter'), timestamptz '2026-01-01 13:00+00', 'the longer of two pauses counts'
);
select is(pg_temp.pause('2026-01-01 13:30+00', 'key revoked'), timestamptz '2026-01-01 13:30+00', 'also if it comes later');
select is(
  (select format('%s: %s', subject, detail) from upload_pipeline.alerts where alert = 'stage_paused'),
  format('uploaded: docling: Paused for this provider by %s until 2026-01-01 13:30:00Z: key revoked', session_user),
  'an alert shows it'
);
select is(
  (select waits_because from upload_pipeline.job_overview where job_id = pg_temp.job('a')),
  format('provider docling paused by %s until 2026-01-01 13:30:00Z because: key revoked', session_user),
  'and so does the job'
);
select is(pg_temp.claim(), 'a', 'who claims for no provider is not concerned');
select upload_pipeline.release_lease(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'));
select is(upload_pipeline.resume_stage(status => 'uploaded'), true, 'resume_stage ends it');
select is(upload_pipeline.resume_stage(status => 'uploaded'), false, 'once');
select is(pg_temp.claim_of('docling'), 'a', 'then its jobs are claimed');
select upload_pipeline.release_lease(job_id => pg_temp.job('a'), lease_token => pg_temp.token('a'));
select pg_temp.pause('2026-01-01 13:00+00', 'x');
select pg_temp.set_clock('2026-01-01 13:00+00');
select is(pg_temp.claim_of('docling'), 'a', 'and so they are when the pause has ended');
select throws_ok($$select pg_temp.pause('2026-01-01 14:00+00', 'x', 'No word')$$, 'UP006', null, 'a provider is a word');
select throws_ok(
  $$select upload_pipeline.pause_stage('complete', '2026-01-01 14:00+00', 'x', 'docling')$$, 'UP006', null,
  'a finished status is not paused for a provider either'
);

select * from finish();
rollback;
