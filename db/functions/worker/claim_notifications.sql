-- Gives leases to the notifications that are due, and only to the first waiting one of each job. One behind it is put
-- off until then, so that no later claim reads it again and again: one second while the first one is being sent,
-- because finish_notifications may end that at any moment, and else as long as the first one waits. Neither a lease nor
-- a pause is longer than a day, so a later run_after was set by a clock that was ahead: then it is over. First it
-- writes those of groups that have ended.
-- Locks: group, notification (skip locked). Calls: announce_groups, check_isolation, clock.
create or replace function upload_pipeline.claim_notifications(
  batch integer default 16,
  lease interval default '60 seconds'
)
returns table (
  event_id uuid,
  lease_token uuid,
  tries integer,
  job_id uuid,
  document_id uuid,
  owner_id uuid,
  version integer,
  status text,
  code text,
  occurred_at timestamptz,
  correlation_id text,
  metadata jsonb,
  group_id uuid,
  counts jsonb
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- What is due is read in order from its index, and the rest is looked up by its key.
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_latest timestamptz;
begin
  perform upload_pipeline.check_isolation();

  if batch is null or batch not between 1 and 1000
    or lease is null or lease not between interval '1 second' and interval '1 day'
  then
    raise exception 'cannot claim % notifications for %',
      coalesce(batch::text, 'null'), coalesce(lease::text, 'null')
      using errcode = 'UP006',
            detail = 'batch is 1 to 1000; lease is 1 second to 1 day.',
            hint = 'For example: claim_notifications(batch => 16, lease => interval ''60 seconds'').';
  end if;

  perform upload_pipeline.announce_groups();
  v_now := upload_pipeline.clock();
  v_latest := v_now + interval '1 day 1 minute';

  return query
  with due as materialized (
    select n.event_id, n.run_after, before.run_after as held_until, before.lease_token is not null as is_sent
      from (
        (
          select o.event_id, o.job_id, o.version, o.run_after
            from upload_pipeline.notifications as o
           where o.run_after <= v_now
           order by o.run_after
           limit batch + 1000
        )
        union all
        (
          select o.event_id, o.job_id, o.version, o.run_after
            from upload_pipeline.notifications as o
           where o.run_after > v_latest
           order by o.run_after desc
           limit batch + 1000
        )
      ) as n
      left join lateral (
        select p.run_after, p.lease_token
          from upload_pipeline.notifications as p
         where p.job_id = n.job_id
           and p.version < n.version
           and p.run_after is not null
         order by p.version
         limit 1
      ) as before on true
  ), behind as (
    select n.event_id, due.held_until, due.is_sent
      from due
      join upload_pipeline.notifications as n on n.event_id = due.event_id
     where due.held_until is not null
       and (n.run_after <= v_now or n.run_after > v_latest)
       for update of n skip locked
  ), put_off as (
    update upload_pipeline.notifications as n
       set run_after = case
             when behind.is_sent or behind.held_until > v_latest then v_now + interval '1 second'
             else greatest(behind.held_until, v_now + interval '1 second')
           end
      from behind
     where n.event_id = behind.event_id
  ), first as (
    select n.event_id, n.job_id, n.version, n.group_id
      from due
      join upload_pipeline.notifications as n on n.event_id = due.event_id
     where due.held_until is null
       and (n.run_after <= v_now or n.run_after > v_latest)
     order by due.run_after
     limit batch
       for update of n skip locked
  )
  update upload_pipeline.notifications as n
     set lease_token = gen_random_uuid(),
         run_after = v_now + claim_notifications.lease
    from first
    left join upload_pipeline.events as e on e.job_id = first.job_id and e.version = first.version
    left join upload_pipeline.upload_jobs as j on j.job_id = first.job_id
    left join upload_pipeline.job_groups as g on g.group_id = first.group_id
   where n.event_id = first.event_id
  returning n.event_id, n.lease_token, n.tries, n.job_id, e.document_id, coalesce(j.owner_id, g.owner_id), n.version,
            e.to_status, e.code, coalesce(e.ts, g.announced_at), e.correlation_id::text, j.metadata::jsonb, n.group_id,
            g.counts;
end;
$$;

comment on function upload_pipeline.claim_notifications(integer, interval) is
  'Claims up to `batch` notifications that are due, each with a lease and a fencing token of its own: of each job the '
  'first one that is neither taken nor dead. That of a group has a group_id and counts, and no job. Send each to the '
  'application, then call finish_notifications. What is not finished by the end of the lease is claimed again. Raises '
  'UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.claim_notifications(integer, interval) from public;
grant execute on function upload_pipeline.claim_notifications(integer, interval) to hookline_worker;
