begin;
\ir ../raw_dml.psql
select plan(13);

select pg_temp.make_job_in_status('a', 'parse_queued');
set constraints all immediate;
set constraints all deferred;

select is(
  pg_temp.result_at_commit('set session_replication_role = replica'), '42501',
  'the owner cannot switch triggers off for a session'
);

-- Each statement is refused while its trigger is `enable always`, and passes with an ordinary trigger.
select is(pg_temp.result_at_commit('set session_replication_role = replica; ' || statements, by => session_user), 'UP010', trigger)
    || E'\n' ||
       is(
         pg_temp.result_at_commit(
           'set session_replication_role = replica; ' || statements,
           by => session_user,
           without => format('alter table upload_pipeline.%I enable trigger %I', relation, trigger)
         ),
         'passed', trigger || ', were it an ordinary trigger'
       )
  from (
    values
      ('upload_jobs', 'job_moves_by_events', $$select pg_temp.update_job('a', 'parse_ready', 3)$$),
      ('upload_jobs', 'job_is_born_with_its_history', $$
        insert into upload_pipeline.upload_jobs (
          document_id, owner_id, status, terminal, failed, claimable, has_content, upload_confirmed, correlation_id
        )
        values (gen_random_uuid(), gen_random_uuid(), 'complete', true, false, false, false, false, 'n')$$),
      ('events', 'event_moves_its_job', $$
        select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'stage_done')$$),
      ('events', 'events_are_append_only', $$update upload_pipeline.events set payload = '{"by": "me"}'$$),
      ('events', 'events_are_append_only', $$delete from upload_pipeline.events where version = 2$$),
      ('events', 'events_are_never_truncated', $$truncate upload_pipeline.events cascade$$)
  ) as attack (relation, trigger, statements);

select * from finish();
rollback;
