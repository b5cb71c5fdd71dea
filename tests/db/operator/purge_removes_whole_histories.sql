begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(9);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('done');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('done'), content => '# a', parse_job_id => 'p1');
select upload_pipeline.finish_content(job_id => pg_temp.job('done'), ordinal => 1);
select upload_pipeline.move_job_or_raise(
  job => upload_pipeline.lock_job(pg_temp.job('done')),
  step => upload_pipeline.resolve_step('parsed', 'job_completed'),
  payload => '{}'
);
select pg_temp.make_job('failed');
select pg_temp.receive_event(delivery_id => 'd2', code => 'parse_failed', job_id => pg_temp.job('failed'));
select pg_temp.make_job('busy');
select pg_temp.set_clock('2026-02-01 12:00+00');
select pg_temp.make_job('young');
select upload_pipeline.cancel_job(job_id => pg_temp.job('young'));

select pg_temp.set_clock('2026-04-01 12:00+00');
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => interval '90 days')$$, 'values (0::bigint, 0::bigint)',
  'a job of exactly that age is kept'
);
select pg_temp.set_clock('2026-04-01 12:00:01+00');
select results_eq(
  $$select jobs, deliveries from upload_pipeline.purge(older_than => interval '90 days')$$, 'values (2::bigint, 0::bigint)',
  'the complete and the failed job are deleted'
);
select set_eq(
  'select name from named_jobs join upload_pipeline.upload_jobs using (job_id)', $$values ('busy'), ('young')$$,
  'an unfinished job and a younger one are kept'
);
select is(
  (select count(*) from upload_pipeline.events where job_id in (pg_temp.job('done'), pg_temp.job('failed'))), 0::bigint, 'their events are deleted'
);
select is((select count(*) from upload_pipeline.webhook_deliveries), 0::bigint, 'their deliveries are deleted');
select is((select count(*) from upload_pipeline.provider_jobs), 0::bigint, 'their provider jobs are deleted');
select is((select count(*) from upload_pipeline.contents), 0::bigint, 'their contents are deleted');
select is((select count(*) from upload_pipeline.documents), 4::bigint, 'all documents are kept');
select is_empty('select * from upload_pipeline.check_integrity()', 'check_integrity finds nothing');

select * from finish();
rollback;
