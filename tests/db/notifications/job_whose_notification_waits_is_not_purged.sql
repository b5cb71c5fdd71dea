begin;
\ir ../search_path.psql
\ir ../jobs.psql
\ir ../notifications.psql
select plan(5);

select pg_temp.set_clock('2026-01-01 12:00+00');
select upload_pipeline.start_announcing();
select pg_temp.make_job('waits'), pg_temp.make_job('dead'), pg_temp.make_job('taken');
select upload_pipeline.cancel_job(job_id => n.job_id) from named_jobs as n where n.name <> 'waits';
select pg_temp.claim_notifications();
select pg_temp.finish_notification('dead', 3, error => 'answered 410', permanent => true);
select pg_temp.finish_notification('taken', 3);
select upload_pipeline.cancel_job(job_id => pg_temp.job('waits'));

select pg_temp.set_clock('2027-01-01 12:00+00');
select is(
  (select jobs from upload_pipeline.purge(older_than => interval '90 days', dry_run => true)), 2::bigint,
  'a dry run counts the other jobs'
);
select is((select jobs from upload_pipeline.purge(older_than => interval '90 days')), 2::bigint, 'purge deletes them');
select is(pg_temp.outbox(), 'waits3 waiting', 'with their notifications');
select upload_pipeline.erase_document(document_id => pg_temp.document('waits'));
select is_empty('select from upload_pipeline.notifications', 'erasing a document deletes its notifications');
select is(pg_temp.claim_notifications(), null, 'so nothing of it is sent');

select * from finish();
rollback;
