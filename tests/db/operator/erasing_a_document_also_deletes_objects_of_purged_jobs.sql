begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(3);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2100-01-01 00:00+00');

select is((select jobs from upload_pipeline.purge(older_than => interval '1 day')), 1::bigint, 'the job is purged');
select is_empty('select * from upload_pipeline.deletions', 'the purge does not delete its object');
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select bag_eq(
  'select path from upload_pipeline.deletions',
  $$values ('storage://raw/ada/a.pdf'),
           (format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a')))$$,
  'erasing the document queues the object for deletion'
);

select * from finish();
rollback;
