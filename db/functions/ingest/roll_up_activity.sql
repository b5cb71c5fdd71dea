-- Adds up the rows of activity_counts: new rows to minutes, minutes to hours after a day, hours to one number after 30
-- days. Deletes and inserts in one statement, so that a reader always sees each step once.
-- Locks: activity (advisory; returns if another session has it). Calls: check_isolation, clock.
create or replace function upload_pipeline.roll_up_activity()
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_hours_before constant timestamptz := date_trunc('hour', upload_pipeline.clock() - interval '1 day', 'UTC');
  v_one_before constant timestamptz := date_trunc('hour', upload_pipeline.clock() - interval '30 days', 'UTC');
begin
  perform upload_pipeline.check_isolation();

  if not pg_try_advisory_xact_lock('upload_pipeline.activity_counts'::regclass::integer, 0) then
    return;
  end if;

  with taken as (
    delete from upload_pipeline.activity_counts as c
     where c.span in ('new', 'earlier')
        or c.span = 'minute' and c.at < v_hours_before
        or c.span = 'hour' and c.at < v_one_before
    returning c.at, c.from_status, c.to_status, c.code, c.source, c.outcome, c.count
  )
  insert into upload_pipeline.activity_counts (span, at, from_status, to_status, code, source, outcome, count)
  select s.span, s.at, t.from_status, t.to_status, t.code, t.source, t.outcome, sum(t.count)
    from taken as t
    cross join lateral (
      select 'earlier' as span, timestamptz '2000-01-01 00:00+00' as at
       where t.at < v_one_before
      union all
      select 'hour', date_trunc('hour', t.at, 'UTC')
       where t.at >= v_one_before
         and t.at < v_hours_before
      union all
      select 'minute', t.at
       where t.at >= v_hours_before
    ) as s
   group by s.span, s.at, t.from_status, t.to_status, t.code, t.source, t.outcome
  having sum(t.count) <> 0;
end;
$$;

comment on function upload_pipeline.roll_up_activity() is
  'Adds up what activity_counts has gathered since the last call, and makes old rows coarser. Call it once a minute; '
  'receivers and workers do. It returns at once if another session does so now. Raises UP012.';

revoke all on function upload_pipeline.roll_up_activity() from public;
grant execute on function upload_pipeline.roll_up_activity() to hookline_ingest, hookline_operator;
