begin;
\ir ../raw_dml.psql
select plan(7);

select pg_temp.make_job_in_status('old', 'failed_parse');
-- A newer job of the same document.
create function pg_temp.make_newer_job()
returns void
language sql
as $$
  insert into upload_pipeline.upload_jobs (
    document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id
  )
  select j.document_id, j.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content, j.upload_confirmed, 'new'
    from upload_pipeline.upload_jobs as j, upload_pipeline.statuses as s
   where j.correlation_id = 'old' and s.initial;
  select pg_temp.insert_event('new', 1, null, 'uploaded', 'stage_started');
$$;
set constraints all immediate;
set constraints all deferred;

select is(
  pg_temp.result_at_commit('select pg_temp.make_newer_job()'), 'passed',
  'a document whose job has finished may have a newer job'
);

select pg_temp.make_newer_job();
set constraints all immediate;
set constraints all deferred;

select pg_temp.refused_by_guard_alone(
  'drop index upload_pipeline.one_unfinished_job_a_document', '23505 one_unfinished_job_a_document', name, statements
)
  from (
    values
      ('a retry of the older job', $$
        select pg_temp.insert_event('old', 3, 'failed_parse', 'uploaded', 'retry'), pg_temp.update_job('old', 'uploaded', 3)$$),
      ('a terminal status that becomes unfinished', $$
        update upload_pipeline.statuses set terminal = false, failed = false where status = 'failed_parse'$$)
  ) as attack (name, statements);

select * from finish();
rollback;
