begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
create temporary table made as
select * from upload_pipeline.create_job(
  owner_id => pg_temp.owner('ada'), filename => 'a.pdf', mime => 'application/pdf', bytes_len => 10,
  file_sha256 => pg_temp.sha('a'), raw_path => 'storage://raw/a.pdf', correlation_id => 'theirs'
);
select results_eq(
  'select outcome::text, status, version, event_id is not null from made', $$values ('applied', 'uploaded', 1, true)$$,
  'the receipt says applied, uploaded and version 1'
);
select results_eq(
  $$select e.event_id, e.document_id, e.from_status, e.type::text, e.severity::text, e.code, e.payload, e.correlation_id::text, e.ts
      from upload_pipeline.events as e$$,
  $$select event_id, document_id, null::text, 'stage_started', 'info', 'job_created',
           '{"filename": "a.pdf", "bytes_len": 10}'::jsonb, 'theirs', timestamptz '2026-01-01 12:00+00' from made$$,
  'the first event is job_created'
);
select results_eq(
  'select attempt, max_attempts, upload_confirmed, run_after, deadline_at, created_at, last_error from upload_pipeline.upload_jobs',
  $$values (1, 3, false, timestamptz '2026-01-01 12:00+00', timestamptz '2026-01-01 13:00+00',
            timestamptz '2026-01-01 12:00+00', null::jsonb)$$, 'the job has its defaults and its deadline'
);
select lives_ok('set constraints all immediate', 'the deferred constraints hold');
set constraints all deferred;
select is(
  (select (r).job_id::text = (select j.correlation_id::text from upload_pipeline.upload_jobs as j where j.job_id = (r).job_id)
     from (select pg_temp.make_job('b')) as b, lateral upload_pipeline.create_job(
       owner_id => pg_temp.owner('ada'), filename => 'c.pdf', mime => 'application/pdf', bytes_len => 10,
       file_sha256 => pg_temp.sha('c'), raw_path => 'storage://raw/c.pdf'
     ) as r),
  null, 'the function''s own row is not visible to the query that calls it'
);
select is(
  (select j.correlation_id::text = j.job_id::text from upload_pipeline.job_overview as j where j.filename = 'c.pdf'), true,
  'without a correlation id the job id is used'
);

select * from finish();
rollback;
