-- Switches announcements off, and deletes notifications that wait or are dead if it is told so; then groups that are
-- closed already are not announced either.
-- Locks: status, group, notification (skip locked). Calls: check_isolation, clock, record_action.
create or replace function upload_pipeline.stop_announcing(discard boolean default false, reason text default null)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_notifications bigint := 0;
  v_groups bigint := 0;
  v_was_on boolean;
begin
  perform upload_pipeline.check_isolation();

  update upload_pipeline.statuses as s
     set announced_since = null
   where s.announced_since is not null;
  v_was_on := found;

  if discard then
    update upload_pipeline.job_groups as g
       set check_after = null
     where g.check_after is not null;
    get diagnostics v_groups = row_count;

    with free as (
      select n.event_id
        from upload_pipeline.notifications as n
       where (n.run_after is not null or n.dead_at is not null)
         and (
           n.lease_token is null or n.run_after < upload_pipeline.clock()
           -- A lease is a day at most. This one was given by a clock that was ahead.
           or n.run_after > upload_pipeline.clock() + interval '1 day 1 minute'
         )
         for update skip locked
    )
    delete from upload_pipeline.notifications as n
     using free
     where n.event_id = free.event_id;
    get diagnostics v_notifications = row_count;
  end if;

  if v_was_on or v_groups + v_notifications > 0 then
    perform upload_pipeline.record_action(
      'stop_announcing', stop_announcing.reason,
      details => jsonb_build_object(
        'discard', discard is true, 'notifications', v_notifications, 'groups', v_groups
      )
    );
  end if;

  return v_notifications;
end;
$$;

comment on function upload_pipeline.stop_announcing(boolean, text) is
  'From now on, no step writes a notification, until a worker with HOOKLINE_NOTIFY_URL starts again. What waits is '
  'still sent, and groups that were closed before are still announced; discard => true deletes it instead, forgets '
  'these groups, and deletes what is dead, apart from what is being sent now. Answers how many were deleted.';

revoke all on function upload_pipeline.stop_announcing(boolean, text) from public;
grant execute on function upload_pipeline.stop_announcing(boolean, text) to hookline_operator;
