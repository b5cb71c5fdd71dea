-- Broadcasts each event to the owner of its document, in the transaction of the event: a private topic of Supabase
-- Realtime.
-- Source: https://supabase.com/docs/guides/realtime/broadcast
do $$
begin
  if to_regnamespace('hookline_api') is null
    or to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null
    or to_regprocedure('realtime.topic()') is null
  then
    return;
  end if;

  -- The function stays owned by the installer, who may send. The history matters more than its broadcast: every error
  -- here becomes a warning, and a lock on realtime.messages is waited for only 100 ms.
  create or replace function upload_pipeline.broadcast_event()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '100ms'
  as $body$
  begin
    perform realtime.send(
      jsonb_build_object(
        'job_id', new.job_id,
        'document_id', new.document_id,
        'version', new.version,
        'ts', new.ts,
        'from_status', new.from_status,
        'to_status', new.to_status,
        'type', new.type,
        'severity', new.severity,
        'code', new.code
      ),
      'job_event',
      'hookline:' || d.owner_id,
      true
    )
       from upload_pipeline.documents as d
      where d.document_id = new.document_id;
    return null;
  exception
    when others then
      raise warning 'event % of job % was not broadcast: %', new.version, new.job_id, sqlerrm;
      return null;
  end;
  $body$;

  comment on function upload_pipeline.broadcast_event() is
    'Sends the row that my_events shows, as `job_event`, to the private Realtime topic hookline:<owner_id>. An error '
    'becomes a warning and never fails the transaction.';

  revoke all on function upload_pipeline.broadcast_event() from public;

  create or replace trigger events_are_broadcast
    after insert on upload_pipeline.events
    for each row
    execute function upload_pipeline.broadcast_event();

  if exists (
    select
      from pg_catalog.pg_policies as p
     where p.schemaname = 'realtime'
       and p.tablename = 'messages'
       and p.policyname = 'hookline_owner_hears_own_jobs'
  ) then
    return;
  end if;

  -- Restrictive, because permissive policies are joined by `or`, and those of an application often allow every topic.
  drop policy if exists hookline_topics_are_their_owners on realtime.messages;
  create policy hookline_topics_are_their_owners on realtime.messages
    as restrictive
    for all
    to anon, authenticated
    using (
      topic not like 'hookline:%'
      or (extension = 'broadcast' and topic = 'hookline:' || (select auth.uid()))
    )
    with check (topic not like 'hookline:%');

  -- The topic of the row is checked too, because realtime.topic() is a setting and a session can set it.
  create policy hookline_owner_hears_own_jobs on realtime.messages
    for select
    to authenticated
    using (
      extension = 'broadcast'
      and topic = (select realtime.topic())
      and topic = 'hookline:' || (select auth.uid())
    );
exception
  when insufficient_privilege then
    raise warning 'events are not broadcast: %', sqlerrm
      using hint = 'Run db/supabase/broadcast.sql as a role that may use schema realtime and make policies on '
        'realtime.messages, such as Supabase''s postgres.';
end;
$$;
