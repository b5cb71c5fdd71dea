begin;
\ir ../search_path.psql
\ir ../jobs.psql
select plan(4);

select pg_temp.make_job('a');
select pg_temp.receive_content(delivery_id => 'd1', job_id => pg_temp.job('a'), content => '# a');
select upload_pipeline.finish_content(job_id => pg_temp.job('a'), ordinal => 1);
select upload_pipeline.cancel_job(job_id => pg_temp.job('a'));
select pg_temp.set_clock('2100-01-01 00:00+00');
-- A younger job of the same file stays, with its content.
select pg_temp.make_job('b', file => 'a');
select pg_temp.receive_content(delivery_id => 'd2', job_id => pg_temp.job('b'), content => '# b');
select upload_pipeline.finish_content(job_id => pg_temp.job('b'), ordinal => 1);

select is((select jobs from upload_pipeline.purge(older_than => interval '1 day')), 1::bigint, 'the job is purged');
select is_empty('select * from upload_pipeline.deletions', 'the purge does not delete its object');
select is(
  (select purged_paths from upload_pipeline.documents),
  array[format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a'))],
  'the document remembers the path of the purged job alone'
);
select upload_pipeline.erase_document(document_id => pg_temp.document('a'));
select bag_eq(
  'select path from upload_pipeline.deletions',
  $$values ('storage://raw/ada/a.pdf'),
           (format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('a'))),
           (format('storage://parsed/%s/%s.md', pg_temp.document('a'), pg_temp.job('b')))$$,
  'erasing the document queues both objects for deletion'
);

select * from finish();
rollback;
