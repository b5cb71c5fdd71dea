-- Makes notifications due at once, as if they had never been tried. Those that somebody is sending now are left alone.
-- Locks: notification (skip locked). Calls: check_isolation, clock, record_action.
create or replace function upload_pipeline.retry_notifications(event_id uuid default null, reason text default null)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_notifications bigint;
begin
  perform upload_pipeline.check_isolation();

  with again as (
    select n.event_id
      from upload_pipeline.notifications as n
     where n.event_id = retry_notifications.event_id
    union all
    select n.event_id
      from upload_pipeline.notifications as n
     where retry_notifications.event_id is null
       and n.dead_at is not null
    union all
    select n.event_id
      from upload_pipeline.notifications as n
     where retry_notifications.event_id is null
       and n.run_after > upload_pipeline.clock()
  ), free as (
    select n.event_id
      from upload_pipeline.notifications as n
     where n.event_id in (select again.event_id from again)
       and (
         n.lease_token is null or n.run_after < upload_pipeline.clock()
         -- A lease is a day at most. This one was given by a clock that was ahead.
         or n.run_after > upload_pipeline.clock() + interval '1 day 1 minute'
       )
       for update skip locked
  )
  update upload_pipeline.notifications as n
     set run_after = upload_pipeline.clock(),
         tries = 0,
         lease_token = null,
         taken_at = null,
         dead_at = null
    from free
   where n.event_id = free.event_id;
  get diagnostics v_notifications = row_count;

  if v_notifications > 0 then
    perform upload_pipeline.record_action(
      'retry_notifications', retry_notifications.reason, id => retry_notifications.event_id,
      details => jsonb_build_object('notifications', v_notifications)
    );
  end if;

  -- Only a hint: idle workers would find them at their next poll.
  perform pg_notify('hookline', 'notifications');

  return v_notifications;
end;
$$;

comment on function upload_pipeline.retry_notifications(uuid, text) is
  'Sends one notification again, even if the application took it; or, without event_id, all that are dead and all that '
  'wait for their next try. The webhook-id stays. Answers how many. Those that are being sent now are left alone.';

revoke all on function upload_pipeline.retry_notifications(uuid, text) from public;
grant execute on function upload_pipeline.retry_notifications(uuid, text) to hookline_operator;
