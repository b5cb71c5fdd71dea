-- Changes nothing. Owners with jobs to claim form a ring, in the order of their ids. This goes along it from `after`
-- on, once round at most, and gives each of the next owners an equal share of the batch, of the highest priority that
-- they have. A step is one probe of an index for each provider, however many jobs an owner has. Only owners at their
-- cap are passed by, and each of those has jobs that run.
-- Locks: job (skip locked), owner (advisory, of those with max_running; skipped if another claim has it).
-- Calls: is_at_cap, limit_shares.
create or replace function upload_pipeline.lock_due_jobs(
  status text,
  batch integer,
  after uuid,
  capped boolean,
  providers text[],
  out job_ids uuid[],
  out last_owner uuid
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_wanted integer := batch;
  -- The next owners, each with a provider and their highest priority there.
  v_owners uuid[];
  v_providers text[];
  v_priorities smallint[];
  v_shares integer[];
begin
  loop
    with recursive ring (owner_id, provider, priority, wrapped) as (
      select lock_due_jobs.after, null::text, null::smallint, false
      union all
      select next.owner_id, next.provider, next.priority, next.wrapped
        from ring
        cross join lateral (
          (
            select first.owner_id, served.provider, first.priority, ring.wrapped
              from unnest(lock_due_jobs.providers) as served (provider)
              cross join lateral (
                select j.owner_id, j.priority, j.run_after
                  from upload_pipeline.upload_jobs as j
                 where j.status = lock_due_jobs.status
                   and j.claimable
                   and j.upload_confirmed
                   and j.lease_token is null
                   and not j.scheduled
                   and coalesce(j.provider, '') = served.provider
                   and j.owner_id > ring.owner_id
                 order by j.owner_id, j.priority desc, j.run_after
                 limit 1
              ) as first
             order by first.owner_id, first.priority desc, first.run_after
             limit 1
          )
          union all
          (
            select first.owner_id, served.provider, first.priority, true
              from unnest(lock_due_jobs.providers) as served (provider)
              cross join lateral (
                select j.owner_id, j.priority, j.run_after
                  from upload_pipeline.upload_jobs as j
                 where j.status = lock_due_jobs.status
                   and j.claimable
                   and j.upload_confirmed
                   and j.lease_token is null
                   and not j.scheduled
                   and coalesce(j.provider, '') = served.provider
                 order by j.owner_id, j.priority desc, j.run_after
                 limit 1
              ) as first
             where not ring.wrapped
             order by first.owner_id, first.priority desc, first.run_after
             limit 1
          )
          limit 1
        ) as next
       -- Once round.
       where not next.wrapped or next.owner_id <= lock_due_jobs.after
    )
    select array_agg(found.owner_id), array_agg(found.provider), array_agg(found.priority)
      into v_owners, v_providers, v_priorities
      from (
        select ring.owner_id, ring.provider, ring.priority
          from ring
         where ring.provider is not null
           and (lock_due_jobs.capped and upload_pipeline.is_at_cap(ring.owner_id)) is not true
         limit v_wanted
      ) as found;
    exit when v_owners is null;

    v_shares := array_fill(
      (batch + cardinality(v_owners) - 1) / cardinality(v_owners), array[cardinality(v_owners)]
    );
    if capped then
      v_shares := upload_pipeline.limit_shares(v_owners, v_shares[1]);
    end if;

    select array_agg(due.job_id), (array_agg(due.owner_id))[count(*)] into job_ids, last_owner
      from (
        select d.job_id, t.owner_id
          from unnest(v_owners, v_providers, v_priorities, v_shares) as t (owner_id, provider, priority, share)
          cross join lateral (
            select j.job_id
              from upload_pipeline.upload_jobs as j
             where j.status = lock_due_jobs.status
               and j.claimable
               and j.upload_confirmed
               and j.lease_token is null
               and not j.scheduled
               and coalesce(j.provider, '') = t.provider
               and j.owner_id = t.owner_id
               and j.priority = t.priority
             order by j.run_after
             limit t.share
               for no key update skip locked
          ) as d
         limit batch
      ) as due;
    exit when job_ids is not null or cardinality(v_owners) < v_wanted or v_wanted > 1000;

    -- Other claims have locked the jobs of these owners.
    v_wanted := v_wanted * 4;
  end loop;
end;
$$;

comment on function upload_pipeline.lock_due_jobs(text, integer, uuid, boolean, text[]) is
  'Locks up to `batch` jobs that a claim may take, and answers their ids in the order of the ring, and the owner '
  'of the last. The caller gives them leases, and calls again for more. capped: some owner has max_running. '
  'providers: '''' stands for the jobs that name none.';

revoke all on function upload_pipeline.lock_due_jobs(text, integer, uuid, boolean, text[]) from public;
