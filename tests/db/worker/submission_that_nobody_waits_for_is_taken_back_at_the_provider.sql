begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(7);

select pg_temp.make_job(name) from unnest(array['erased', 'cancelled', 'retried', 'failed', 'ready', 'queued']) as name;
select pg_temp.receive_event(delivery_id => 'd1', code => 'parse_ready', job_id => pg_temp.job('ready'));
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('failed'));
select upload_pipeline.cancel_job(job_id => pg_temp.job('cancelled'));
select upload_pipeline.retry_job(job_id => pg_temp.job('retried'));
select upload_pipeline.erase_document(document_id => pg_temp.document('erased'));
select is_empty('select from upload_pipeline.provider_requests', 'nothing was known to run at the provider');

create temp table answer as
  select n.name, r.outcome::text, r.job_id
    from named_jobs as n
   cross join generate_series(1, 2)
   cross join lateral upload_pipeline.record_submission(
     job_id => n.job_id, attempt => 1, parse_job_id => 'p ' || n.name
   ) as r;
select set_eq(
  'select name, outcome from answer',
  $$values ('erased', 'ignored'), ('cancelled', 'stale'), ('retried', 'stale'), ('failed', 'stale'), ('ready', 'stale'),
           ('queued', 'applied')$$,
  'each submission is recorded, also twice'
);
select set_eq(
  $$select job_id from answer where name = 'erased'$$, 'select null::uuid', 'the answer for an erased job names no job'
);
select bag_eq(
  'select parse_job_id, kind from upload_pipeline.provider_requests',
  $$values ('p erased', 'delete'), ('p cancelled', 'cancel'), ('p retried', 'cancel')$$,
  'what runs for nobody is cancelled or deleted there, once'
);
select set_eq(
  'select parse_job_id from upload_pipeline.provider_jobs',
  $$select 'p ' || name from named_jobs where name <> 'erased'$$, 'an erased job leaves no link'
);
select throws_ok(
  $$select upload_pipeline.record_submission(job_id => gen_random_uuid(), attempt => 0, parse_job_id => 'p')$$, 'UP006',
  null, 'wrong arguments ask the provider for nothing'
);
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
