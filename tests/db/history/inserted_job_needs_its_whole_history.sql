begin;
\ir ../raw_dml.psql
select plan(37);

select pg_temp.make_job_in_status('a', 'parse_queued');
set constraints all immediate;
set constraints all deferred;

-- A job like those of create_job, but with the given status and version. The attack inserts the events.
create function pg_temp.insert_job(job text, status text, version integer)
returns void
language sql
as $$
  with document as (
    insert into upload_pipeline.documents (owner_id, filename, mime, bytes_len, file_sha256, raw_path)
    values (gen_random_uuid(), 'a.pdf', 'application/pdf', 1, repeat('a', 64), 'storage://raw/a.pdf')
    returning document_id, owner_id
  )
  insert into upload_pipeline.upload_jobs (
    document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, version, correlation_id, last_error
  )
  select d.document_id, d.owner_id, s.status, s.terminal, s.failed, s.claimable, s.has_content, false, insert_job.version,
         insert_job.job, '{}'
    from document as d, upload_pipeline.statuses as s
   where s.status = insert_job.status;
$$;

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history', 'UP010', name, statements
)
  from (
    values
      ('a job without events', $$select pg_temp.insert_job('n', 'uploaded', 1)$$),
      ('a job whose first event is a terminal status', $$
        select pg_temp.insert_job('n', 'cancelled', 1), pg_temp.insert_event('n', 1, null, 'cancelled', 'operator')$$),
      ('a job whose first event is not the initial status', $$
        select pg_temp.insert_job('n', 'parse_queued', 1), pg_temp.insert_event('n', 1, null, 'parse_queued', 'stage_started')$$),
      ('a job whose status differs from its first event', $$
        select pg_temp.insert_job('n', 'cancelled', 1), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started')$$),
      ('a job whose version is ahead of its events', $$
        select pg_temp.insert_job('n', 'uploaded', 2), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started')$$),
      ('a history without its first event', $$
        select pg_temp.insert_job('n', 'failed_parse', 2),
               pg_temp.insert_event('n', 2, 'uploaded', 'failed_parse', 'stage_error')$$),
      ('a history with a gap in its versions', $$
        select pg_temp.insert_job('n', 'failed_parse', 3), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
               pg_temp.insert_event('n', 3, 'uploaded', 'failed_parse', 'stage_error')$$),
      ('a history with a gap in its statuses', $$
        select pg_temp.insert_job('n', 'failed_parse', 2), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
               pg_temp.insert_event('n', 2, 'parse_queued', 'failed_parse', 'stage_error')$$),
      ('a history that ends in another status than the job', $$
        select pg_temp.insert_job('n', 'cancelled', 2), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
               pg_temp.insert_event('n', 2, 'uploaded', 'failed_parse', 'stage_error')$$),
      ('a job that is deleted and inserted again without its history', $$
        create temp table kept on commit drop as
          select j.* from upload_pipeline.upload_jobs as j where j.correlation_id = 'a';
        delete from upload_pipeline.upload_jobs where correlation_id = 'a';
        insert into upload_pipeline.upload_jobs select k.* from kept as k$$)
  ) as attack (name, statements);

-- Two guards refuse a history that is longer than its job's version.
select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history', 'UP010',
  'a history with one event more than the version', $$
    select pg_temp.insert_job('n', 'uploaded', 1), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
           pg_temp.insert_event('n', 2, 'uploaded', 'uploaded', 'operator')$$,
  besides => 'alter table upload_pipeline.events disable trigger event_moves_its_job'
);

select pg_temp.refused_by_guard_alone(
  'alter table upload_pipeline.upload_jobs disable trigger job_is_born_with_its_history', 'UP010',
  'a history with as many events as the version but other numbers', $$
    select pg_temp.insert_job('n', 'uploaded', 3), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
           pg_temp.insert_event('n', 3, 'uploaded', 'uploaded', 'operator'),
           pg_temp.insert_event('n', 4, 'uploaded', 'uploaded', 'operator')$$,
  besides => 'alter table upload_pipeline.events disable trigger event_moves_its_job'
);

select is(
  pg_temp.result_at_commit($$
    select pg_temp.insert_job('n', 'failed_parse', 2), pg_temp.insert_event('n', 1, null, 'uploaded', 'stage_started'),
           pg_temp.insert_event('n', 2, 'uploaded', 'failed_parse', 'stage_error')$$),
  'passed', 'a job with a whole history is accepted, as a restore inserts it'
);

select * from finish();
rollback;
