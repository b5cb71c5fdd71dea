-- Changes nothing. Owners with waiting jobs form a ring, in the order of their ids. This goes along it from `after` on,
-- once round at most, and gives each owner with due jobs an equal share of the batch, of the highest priority that is
-- due. A step is one probe of an index, however many jobs an owner has. Owners whose jobs are not due cost steps too,
-- so their number is bounded. If no step finds a free job, the owners of the oldest due jobs get the batch.
-- Locks: job (skip locked), owner (advisory, of those with max_running; skipped if another claim has it).
-- Calls: is_at_cap, limit_shares.
create or replace function upload_pipeline.lock_due_jobs(
  status text,
  batch integer,
  after uuid,
  due_by timestamptz,
  capped boolean,
  few boolean,
  providers text[],
  takes_unnamed boolean,
  out job_ids uuid[],
  out last_owner uuid
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_owner uuid := after;
  v_priority smallint;
  v_first timestamptz;
  v_same boolean := false;
  v_wrapped boolean := false;
  v_owners uuid[] := array[]::uuid[];
  v_priorities smallint[] := array[]::smallint[];
  v_shares integer[];
  v_share integer;
begin
  last_owner := after;

  for v_step in 1 .. case when few then 0 else greatest(batch, 16) end loop
    if v_same then
      select j.priority, j.run_after into v_priority, v_first
        from upload_pipeline.upload_jobs as j
       where j.status = lock_due_jobs.status
         and j.claimable
         and j.upload_confirmed
         and j.leased_by is null
         and (
           lock_due_jobs.providers is null or j.provider = any (lock_due_jobs.providers)
           or j.provider is null and takes_unnamed
         )
         and j.owner_id = v_owner
         and j.priority < v_priority
       order by j.priority desc, j.run_after
       limit 1;
    end if;
    if not v_same or not found then
      last_owner := v_owner;
      select j.owner_id, j.priority, j.run_after into v_owner, v_priority, v_first
        from upload_pipeline.upload_jobs as j
       where j.status = lock_due_jobs.status
         and j.claimable
         and j.upload_confirmed
         and j.leased_by is null
         and (
           lock_due_jobs.providers is null or j.provider = any (lock_due_jobs.providers)
           or j.provider is null and takes_unnamed
         )
         and j.owner_id > v_owner
       order by j.owner_id, j.priority desc, j.run_after
       limit 1;
      if not found and not v_wrapped then
        v_wrapped := true;
        select j.owner_id, j.priority, j.run_after into v_owner, v_priority, v_first
          from upload_pipeline.upload_jobs as j
         where j.status = lock_due_jobs.status
           and j.claimable
           and j.upload_confirmed
           and j.leased_by is null
           and (
             lock_due_jobs.providers is null or j.provider = any (lock_due_jobs.providers)
             or j.provider is null and takes_unnamed
           )
         order by j.owner_id, j.priority desc, j.run_after
         limit 1;
      end if;
    end if;
    -- Once round. Null: nobody is left.
    exit when v_owner is null or v_wrapped and v_owner > after;

    v_same := v_first > due_by;
    continue when v_same or capped and upload_pipeline.is_at_cap(v_owner);
    last_owner := v_owner;
    v_owners := v_owners || v_owner;
    v_priorities := v_priorities || v_priority;
    exit when cardinality(v_owners) = batch;
  end loop;

  for v_round in case when few then 2 else 1 end .. 2 loop
    if v_round = 2 then
      -- Only so many are read: all of them may be of one owner, at the cap.
      select array_agg(o.owner_id), array_agg(o.priority) into v_owners, v_priorities
        from (
          select distinct oldest.owner_id, oldest.priority
            from (
              select j.owner_id, j.priority
                from upload_pipeline.upload_jobs as j
               where j.status = lock_due_jobs.status
                 and j.claimable
                 and j.upload_confirmed
                 and j.lease_token is null
                 and (
                   lock_due_jobs.providers is null or j.provider = any (lock_due_jobs.providers)
                   or j.provider is null and takes_unnamed
                 )
                 and j.run_after <= lock_due_jobs.due_by
               order by j.run_after
               limit batch + 50
            ) as oldest
           order by oldest.priority desc
           limit batch
        ) as o;
    end if;
    continue when coalesce(cardinality(v_owners), 0) = 0;

    v_share := (batch + cardinality(v_owners) - 1) / cardinality(v_owners);
    v_shares := array_fill(v_share, array[cardinality(v_owners)]);
    if capped then
      v_shares := upload_pipeline.limit_shares(v_owners, v_share);
    end if;

    select array_agg(due.job_id) into job_ids
      from (
        select d.job_id
          from unnest(v_owners, v_priorities, v_shares) as t (owner_id, priority, share)
          cross join lateral (
            select j.job_id
              from upload_pipeline.upload_jobs as j
             where j.status = lock_due_jobs.status
               and j.claimable
               and j.upload_confirmed
               and j.leased_by is null
               and (
                 lock_due_jobs.providers is null or j.provider = any (lock_due_jobs.providers)
                 or j.provider is null and takes_unnamed
               )
               and j.owner_id = t.owner_id
               and j.priority = t.priority
               and j.run_after <= lock_due_jobs.due_by
             order by j.run_after
             limit t.share
               for no key update skip locked
          ) as d
         limit batch
      ) as due;
    exit when job_ids is not null;
  end loop;
end;
$$;

comment on function upload_pipeline.lock_due_jobs(
  text, integer, uuid, timestamptz, boolean, boolean, text[], boolean
) is
  'Locks up to `batch` due jobs, and answers their ids and the owner after whom the next call should go on. The caller '
  'gives them leases, and calls again for more. capped: some owner has max_running. few: no more than batch are due.';

revoke all on function upload_pipeline.lock_due_jobs(
  text, integer, uuid, timestamptz, boolean, boolean, text[], boolean
) from public;
