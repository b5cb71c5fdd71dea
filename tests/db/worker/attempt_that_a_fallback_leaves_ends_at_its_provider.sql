begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(6);

select pg_temp.set_clock('2026-01-01 12:00+00');
update upload_pipeline.statuses set max_tries = 1 where status = 'parse_queued';
select upload_pipeline.set_fallback(provider => 'llamacloud', next_provider => 'docling');
select pg_temp.make_job(name) from unnest(array['refused', 'tried', 'died', 'ready', 'told']) as name;
select from upload_pipeline.claim_jobs(status => 'uploaded', worker => 'w', batch => 10, providers => array['llamacloud']);
select upload_pipeline.record_submission(job_id => job_id, attempt => 1, parse_job_id => 'p ' || name) from named_jobs;

-- The parser has the result of one. Its artifacts are stored, and then its markdown cannot be had.
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', parse_job_id => 'p ready');
select pg_temp.claim('parse_ready');
create temp table place as
  select r.path
    from upload_pipeline.receive_artifacts(
      job_id => pg_temp.job('ready'), lease_token => pg_temp.token('ready'),
      artifacts => jsonb_build_array(jsonb_build_object(
        'kind', 'json', 'name', '', 'sha256', repeat('a', 64), 'bytes', 1, 'extension', 'json'
      ))
    ) as r;
select upload_pipeline.finish_artifacts(
  pg_temp.job('ready'), pg_temp.token('ready'), array(select p.path from place as p)
);
select pg_temp.fail('ready', permanent => true);
select is_empty('select from upload_pipeline.artifacts', 'the artifacts of the attempt that is left are dropped');
select set_eq(
  'select path::text from upload_pipeline.deletions', 'select path from place', 'and their objects are deleted'
);

-- The others wait for an answer past their deadline.
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', parse_job_id => 'p told');
select pg_temp.set_clock('2026-01-01 13:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.fail('refused', permanent => true), pg_temp.fail('tried');
-- Three expired leases count as a try.
select pg_temp.set_clock('2026-01-01 14:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.set_clock('2026-01-01 15:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.set_clock('2026-01-01 16:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.set_clock('2026-01-01 17:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.set_clock('2026-01-01 18:00+00');
select pg_temp.claim('parse_queued');
select pg_temp.set_clock('2026-01-01 19:00+00');
select pg_temp.claim('parse_queued');

select set_eq(
  'select provider, attempt from upload_pipeline.upload_jobs', $$values ('docling', 2)$$, 'all of them have fallen back'
);
select bag_eq(
  'select provider, parse_job_id, kind from upload_pipeline.provider_requests',
  $$values ('llamacloud', 'p refused', 'cancel'), ('llamacloud', 'p tried', 'cancel'), ('llamacloud', 'p died', 'cancel')$$,
  'what may still run at the provider that is left is cancelled there; what has ended is left alone'
);

-- With content, another attempt works on the same content.
select pg_temp.make_job('stage');
select pg_temp.receive_content(delivery_id => 'd3', job_id => pg_temp.job('stage'), content => '# x');
insert into upload_pipeline.artifacts (job_id, kind, attempt, sha256, bytes, path)
values (pg_temp.job('stage'), 'json', 1, repeat('a', 64), 1, 'storage://parsed/x');
select upload_pipeline.finish_content(job_id => pg_temp.job('stage'), ordinal => 1);
select pg_temp.claim('parsed');
select pg_temp.fail('stage', permanent => true);
select upload_pipeline.retry_job(job_id => pg_temp.job('stage'));
select is((select count(*) from upload_pipeline.artifacts), 1::bigint, 'a job that keeps its content keeps its artifacts');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
