begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(13);

select pg_temp.set_clock('2026-01-01 12:00+00');
-- Claims for workers with these providers: the names of the jobs, and the provider that each has now.
create function pg_temp.claim_of(providers text[], takes_unnamed boolean default true) returns text
language sql as $$
  select coalesce(string_agg(c.filename || ' ' || coalesce(c.provider, '-'), ', ' order by c.filename), 'none')
    from upload_pipeline.claim_jobs(
      status => 'uploaded', worker => 'w', batch => 10, providers => claim_of.providers,
      takes_unnamed => claim_of.takes_unnamed
    ) as c
$$;
create function pg_temp.ask_for(name text, provider text) returns text
language sql as $$
  select outcome
    from upload_pipeline.create_job(
      owner_id => pg_temp.owner('ada'), filename => ask_for.name, mime => '', bytes_len => 1,
      file_sha256 => encode(sha256(convert_to(ask_for.name, 'UTF8')), 'hex'),
      raw_path => 'storage://raw/' || ask_for.name, provider => ask_for.provider
    )
$$;
create function pg_temp.confirm(name text) returns void
language sql as $$
  select upload_pipeline.confirm_upload(j.job_id, 1, d.file_sha256)
    from upload_pipeline.upload_jobs as j join upload_pipeline.documents as d using (document_id)
   where d.filename = confirm.name
$$;

select is(pg_temp.ask_for('cloud', 'llamacloud'), 'applied', 'a job may name a provider');
select is(pg_temp.ask_for('serve', 'docling'), 'applied', 'and another one');
select is(pg_temp.ask_for('any', null), 'applied', 'or none');
select throws_like(
  $$select pg_temp.ask_for('typo', 'dcoling')$$, 'there is no provider ''dcoling''', 'a provider that nobody has is refused'
);
select pg_temp.confirm(name) from unnest(array['cloud', 'serve', 'any']) as name;

select is(pg_temp.claim_of('{acme}', false), 'none', 'a worker without the provider claims none');
select is(
  (select served_at from upload_pipeline.providers where provider = 'acme'), timestamptz '2026-01-01 12:00+00',
  'its claim has added its provider'
);
select is(
  (select waits_because from upload_pipeline.job_overview where filename = 'serve'),
  'waits for a worker that has the provider docling', 'the overview says what the job waits for'
);
select is(pg_temp.claim_of('{docling}', false), 'serve docling', 'a worker claims the jobs of its provider');
select is(
  pg_temp.claim_of('{llamacloud,docling}'), 'any llamacloud, cloud llamacloud',
  'with takes_unnamed also those that name none, which become jobs of its first'
);
select upload_pipeline.release_lease(job_id, lease_token)
  from upload_pipeline.upload_jobs where lease_token is not null;
select pg_temp.set_clock('2026-01-01 12:00:30+00');
select is(pg_temp.claim_of('{docling}'), 'serve docling', 'a job stays with its provider when its lease ends');
select is(
  (select served_at from upload_pipeline.providers where provider = 'docling'), timestamptz '2026-01-01 12:00+00',
  'the time is written once a minute'
);
select upload_pipeline.release_lease(job_id, lease_token)
  from upload_pipeline.upload_jobs where lease_token is not null;
select pg_temp.set_clock('2026-01-01 12:02+00');
select is(
  pg_temp.claim_of(null), 'any llamacloud, cloud llamacloud, serve docling',
  'a stage of your own, which has no provider, claims all'
);
select pg_temp.claim_of('{docling}');
select is(
  (select served_at from upload_pipeline.providers where provider = 'docling'), timestamptz '2026-01-01 12:02+00',
  'and again after a minute, also if there was nothing to claim'
);

select * from finish();
rollback;
