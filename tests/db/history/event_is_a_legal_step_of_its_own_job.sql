begin;
\ir ../raw_dml.psql
select plan(43);

select pg_temp.make_job_in_status('a', 'parse_queued'), pg_temp.make_job_in_status('b', 'parse_ready');
set constraints all immediate;
set constraints all deferred;

create temp table attack (guard text, sqlstate text, name text, statements text, besides text) on commit drop;

insert into attack values
  ('step_is_a_transition', '23503', 'a step that no transition allows', $$
    select pg_temp.insert_event('a', 3, 'parse_queued', 'complete', 'finalized'), pg_temp.update_job('a', 'complete', 3)$$,
    'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events'),
  ('step_is_a_transition', '23503', 'a legal step of another kind', $$
    select pg_temp.insert_event('a', 3, 'parse_queued', 'parse_ready', 'operator'), pg_temp.update_job('a', 'parse_ready', 3)$$,
    'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events'),
  ('only_the_first_event_has_no_from_status', '23514', 'a later step from nowhere', $$
    select pg_temp.insert_event('a', 3, null, 'complete', 'finalized'), pg_temp.update_job('a', 'complete', 3)$$,
    'alter table upload_pipeline.upload_jobs disable trigger job_moves_by_events'),
  ('only_the_first_event_has_no_from_status', '23514', 'a first event that has a from_status', $$
    delete from upload_pipeline.events where correlation_id = 'a';
    select pg_temp.insert_event('a', 1, 'uploaded', 'parse_queued', 'stage_started')$$,
    'alter table upload_pipeline.events disable trigger events_are_append_only'),
  ('version_counts_from_one', '23514', 'version 0', $$
    select pg_temp.insert_event('a', 0, 'uploaded', 'uploaded', 'operator')$$, 'select'),
  ('event_and_job_are_of_one_document', '23503', 'an event of another document', $$
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, correlation_id, ts
    )
    select a.job_id, 3, b.document_id, a.status, 'parse_ready', 'stage_done', 'info', 'parse_ready', 'a', now()
      from upload_pipeline.upload_jobs as a, upload_pipeline.upload_jobs as b
     where a.correlation_id = 'a' and b.correlation_id = 'b';
    select pg_temp.update_job('a', 'parse_ready', 3)$$, 'select'),
  ('event_and_job_are_of_one_document', '23503', 'an event of an unknown job', $$
    insert into upload_pipeline.events (
      job_id, version, document_id, to_status, type, severity, code, correlation_id, ts
    )
    values (gen_random_uuid(), 1, gen_random_uuid(), 'uploaded', 'stage_started', 'info', 'job_created', 'a', now())$$,
    'select'),
  ('code_is_known', '23503', 'an unknown code', $$
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, correlation_id, ts
    )
    select j.job_id, 3, j.document_id, j.status, 'parse_ready', 'stage_done', 'info', 'whatever', 'a', now()
      from upload_pipeline.upload_jobs as j
     where j.correlation_id = 'a';
    select pg_temp.update_job('a', 'parse_ready', 3)$$, 'select'),
  ('payload_is_an_object', '23514', 'a payload that is not an object', $$
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, payload, correlation_id, ts
    )
    select j.job_id, 3, j.document_id, j.status, 'parse_ready', 'stage_done', 'info', 'parse_ready', '[1]', 'a', now()
      from upload_pipeline.upload_jobs as j
     where j.correlation_id = 'a';
    select pg_temp.update_job('a', 'parse_ready', 3)$$, 'select'),
  ('times_are_between_2000_and_9999', '23514', 'an event at infinity', $$
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, correlation_id, ts
    )
    select j.job_id, 3, j.document_id, j.status, 'parse_ready', 'stage_done', 'info', 'parse_ready', 'a', 'infinity'
      from upload_pipeline.upload_jobs as j
     where j.correlation_id = 'a';
    select pg_temp.update_job('a', 'parse_ready', 3)$$,
    'alter table upload_pipeline.events disable trigger steps_are_counted'),
  ('events_pkey', '23505', 'a second event with the same version', $$
    select pg_temp.insert_event('a', 2, 'uploaded', 'parse_queued', 'stage_started')$$, 'select');

select bag_eq(
  'select distinct guard from attack',
  $$select c.conname::text
      from pg_constraint as c
     where c.conrelid = 'upload_pipeline.events'::regclass and c.contype in ('c', 'f', 'p', 'u', 'x')$$,
  'every constraint of events is attacked'
);

select pg_temp.refused_by_guard_alone(
  -- The notifications of an event refer to its key.
  format('alter table upload_pipeline.events drop constraint %I cascade', a.guard),
  concat_ws(' ', a.sqlstate, a.guard), a.name, a.statements, a.besides
)
  from attack as a;

select pg_temp.refused_by_guard_alone(
  format('alter table upload_pipeline.events alter column %I drop not null', guard), '23502',
  'an event without ' || guard,
  format($$
    create temp view event as
      select j.job_id, 3 as version, j.document_id, j.status as from_status, 'parse_ready' as to_status,
             'stage_done' as type, 'info' as severity, 'parse_ready' as code, 'a' as correlation_id, now() as ts
        from upload_pipeline.upload_jobs as j
       where j.correlation_id = 'a';
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, correlation_id, ts
    )
    select %s from event;
    select pg_temp.update_job('a', 'parse_ready', 3)$$,
    (select string_agg(case column_name when guard then 'null' else column_name end, ', ' order by place)
       from unnest(array['job_id', 'version', 'document_id', 'from_status', 'to_status', 'type', 'severity', 'code',
                         'correlation_id', 'ts']) with ordinality as c (column_name, place))),
  -- The counts need a time, too.
  'alter table upload_pipeline.events disable trigger steps_are_counted'
)
  from unnest(array['correlation_id', 'severity', 'ts']) as attack (guard);

select * from finish();
rollback;
