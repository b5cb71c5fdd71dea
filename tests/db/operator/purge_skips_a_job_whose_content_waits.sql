begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.set_clock('2026-01-01 12:00+00');
select pg_temp.make_job('store');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('store'), content => '# a');
select upload_pipeline.cancel_job(job_id => pg_temp.job('store'));
select pg_temp.make_job('decide');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('decide'), content => '{"odd": 1}', recognised => false);
select upload_pipeline.cancel_job(job_id => pg_temp.job('decide'));

select pg_temp.make_job('free');
select upload_pipeline.cancel_job(job_id => pg_temp.job('free'));

select pg_temp.set_clock('2027-01-01 12:00+00');
select is(
  (select jobs from upload_pipeline.purge(older_than => interval '90 days', dry_run => true)), 1::bigint,
  'a dry run counts only the job without content'
);
select is(
  (select jobs from upload_pipeline.purge(older_than => interval '90 days')), 1::bigint,
  'purge deletes only the job without content, while that of the others waits'
);
select upload_pipeline.finish_content(job_id => pg_temp.job('store'), ordinal => 1);
select upload_pipeline.discard_content(job_id => pg_temp.job('decide'), ordinal => 1);
select is(
  (select jobs from upload_pipeline.purge(older_than => interval '90 days')), 2::bigint, 'purge deletes both once the content is stored or discarded'
);

select * from finish();
rollback;
