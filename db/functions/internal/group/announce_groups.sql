-- Writes the notification of each closed group that has ended. The lock lets one worker at a time judge a group; the
-- next statement then sees every job that another has committed. A closed group gets no new job, so a group without
-- unfinished jobs stays without, unless an operator sends one back. A group that goes on is looked at again after a
-- sixteenth of the time that it is closed: 1 to 30 seconds. So a later check_after was set by a clock that was ahead.
-- Locks: group (skip locked). Calls: clock, uuid7.
create or replace function upload_pipeline.announce_groups()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := upload_pipeline.clock();
  v_due uuid[] := array(
    select g.group_id
      from upload_pipeline.job_groups as g
     where g.check_after <= v_now
     order by g.check_after
     limit 100
       for no key update skip locked
  ) || array(
    select g.group_id
      from upload_pipeline.job_groups as g
     where g.check_after > v_now + interval '1 minute'
     order by g.check_after desc
     limit 100
       for no key update skip locked
  );
begin
  if v_due = '{}' then
    return;
  end if;

  with judged as materialized (
    select due.group_id,
           exists (
             select
               from upload_pipeline.upload_jobs as j
              where j.group_id = due.group_id
                and not j.terminal
             offset 0
           ) as goes_on
      from unnest(v_due) as due (group_id)
  ), put_off as (
    update upload_pipeline.job_groups as g
       set check_after = v_now
             + least(greatest((v_now - g.closed_at) / 16, interval '1 second'), interval '30 seconds')
      from judged as u
     where g.group_id = u.group_id
       and u.goes_on
  ), counted as (
    select s.group_id,
           jsonb_build_object(
             'total', s.total, 'complete', s.complete, 'failed', s.failed, 'cancelled', s.cancelled
           ) as counts
      from judged as u
      join upload_pipeline.group_status as s on s.group_id = u.group_id
     where not u.goes_on
  ), ended as (
    update upload_pipeline.job_groups as g
       set check_after = null,
           announced_at = v_now,
           counts = c.counts
      from counted as c
     where g.group_id = c.group_id
    returning g.group_id
  )
  insert into upload_pipeline.notifications (event_id, group_id)
  select upload_pipeline.uuid7(), e.group_id
    from ended as e;
end;
$$;

comment on function upload_pipeline.announce_groups() is
  'Looks at up to 100 closed groups that are due, and writes one notification for each that has ended: none of its '
  'jobs is unfinished. claim_notifications calls it.';

revoke all on function upload_pipeline.announce_groups() from public;
