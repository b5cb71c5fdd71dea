-- Switches announcements on. It writes only what is off, so that a worker may call it at each start.
-- Locks: status. Calls: check_isolation, clock.
create or replace function upload_pipeline.start_announcing()
returns text[]
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
begin
  perform upload_pipeline.check_isolation();

  update upload_pipeline.statuses as s
     set announced_since = upload_pipeline.clock()
   where s.announced
     and s.announced_since is null;

  return array(select s.status from upload_pipeline.statuses as s where s.announced order by s.status);
end;
$$;

comment on function upload_pipeline.start_announcing() is
  'From now on, each step to a status that is marked announced writes a row to notifications. Answers these statuses. '
  'A worker with HOOKLINE_NOTIFY_URL calls it when it starts. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.start_announcing() from public;
grant execute on function upload_pipeline.start_announcing() to hookline_worker;
