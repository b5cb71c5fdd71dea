begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(11);

create function pg_temp.create_job(
  file text, options jsonb default '{}', metadata jsonb default '{}', priority integer default 0,
  not_before timestamptz default null, provider text default null
)
returns upload_pipeline.receipt
language sql as $$
  select upload_pipeline.create_job(
    owner_id => pg_temp.owner('ada'), filename => 'a.pdf', mime => '', bytes_len => 1, file_sha256 => pg_temp.sha(file::bytea),
    raw_path => 'storage://raw/' || file, options => create_job.options, metadata => create_job.metadata,
    priority => create_job.priority, not_before => create_job.not_before, provider => create_job.provider,
    group_id => pg_temp.owner('group')
  )
$$;
create function pg_temp.confirm(file text) returns text
language sql as $$
  select r.outcome
    from upload_pipeline.job_overview as j
    join upload_pipeline.document_overview as d on d.document_id = j.document_id
    cross join lateral upload_pipeline.confirm_upload(job_id => j.job_id, bytes_len => 1, file_sha256 => d.file_sha256) as r
   where d.raw_path = 'storage://raw/' || file
$$;

select pg_temp.set_clock('2026-01-01 12:00+00');
select is(
  (pg_temp.create_job('a', '{"tier": "agentic"}', '{"order": 42}', 7, '2026-01-02 12:00+00', 'docling')).outcome::text,
  'applied', 'a job is created with all of it'
);
select results_eq(
  'select provider, options::text, metadata::text, priority::integer, group_id, run_after from upload_pipeline.job_overview',
  $$values ('docling', '{"tier": "agentic"}', '{"order": 42}', 7, pg_temp.owner('group'), timestamptz '2026-01-02 12:00+00')$$,
  'job_overview shows it'
);
select is(
  (pg_temp.create_job('a', '{"tier": "fast"}', '{}', 0, null, 'local')).outcome::text, 'duplicate',
  'the same document has its unfinished job already'
);
select is(
  (select concat_ws(' ', provider, options, metadata, priority) from upload_pipeline.job_overview),
  'docling {"tier": "agentic"} {"order": 42} 7', 'which keeps its own'
);

select is(pg_temp.confirm('a'), 'applied', 'the upload is confirmed');
select is_empty($$select from upload_pipeline.claim_jobs('uploaded', 'w')$$, 'no worker claims the job before not_before');
select is(
  (select concat_ws(' ', waits_because, overdue) from upload_pipeline.job_overview), 'not before 2026-01-02 12:00:00Z f',
  'job_overview says what it waits for'
);
select pg_temp.set_clock('2026-01-02 12:00+00');
select is(
  (select overdue from upload_pipeline.job_overview), false, 'its deadline counts from not_before'
);
select results_eq(
  $$select provider, options::text, metadata::text from upload_pipeline.claim_jobs('uploaded', 'w')$$,
  $$values ('docling', '{"tier": "agentic"}', '{"order": 42}')$$, 'then a worker gets it with what it carries'
);

select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'), provider => 'reducto');
select pg_temp.create_job('b', metadata => '{"job": "b"}'), pg_temp.create_job('c', provider => 'local', metadata => '{"job": "c"}');
select upload_pipeline.set_owner(owner_id => pg_temp.owner('ada'));
select pg_temp.create_job('d', metadata => '{"job": "d"}');
select results_eq(
  $$select metadata ->> 'job', provider from upload_pipeline.job_overview where metadata ? 'job' order by 1$$,
  $$values ('b', 'reducto'), ('c', 'local'), ('d', null)$$,
  'the provider is that of the call, else that of the owner, else none'
);
select pg_temp.create_job('e', metadata => null, options => null, priority => null);
select is(
  (select concat_ws(' ', j.options, j.metadata, j.priority)
     from upload_pipeline.job_overview as j
     join upload_pipeline.document_overview as d on d.document_id = j.document_id
    where d.raw_path = 'storage://raw/e'),
  '{} {} 0', 'null is as good as nothing given'
);

select * from finish();
rollback;
