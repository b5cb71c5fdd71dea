-- Ends expired leases, then gives leases to jobs of the status, to each owner an equal share. Owners with jobs to
-- claim form a ring, in the order of their ids. A claim goes along it from `after` on, and each step is one probe of
-- an index for each provider, however many jobs an owner has. Jobs that are not due are not in that index: first the
-- claim stages scheduled jobs whose time has come. In a status that is not claimable, it takes the jobs past their
-- deadline: the worker asks the provider about them. Sweeping here means that no other process has to. If none is due,
-- it takes jobs that a clock has put off while it was ahead.
-- Locks: provider (each minute), job (skip locked), deletion, artifact, provider request, owner (advisory, of those
-- with max_running; skipped if another claim has it).
-- Calls: check_isolation, clock, lock_due_jobs, lock_early_jobs, lock_overdue_jobs, owner_after, stage_jobs,
-- sweep_leases.
create or replace function upload_pipeline.claim_jobs(
  status text,
  worker text,
  batch integer default 1,
  lease interval default '60 seconds',
  providers text[] default null,
  takes_unnamed boolean default true,
  after uuid default null
)
returns table (
  job_id uuid,
  document_id uuid,
  owner_id uuid,
  filename text,
  mime text,
  bytes_len bigint,
  file_sha256 text,
  raw_path text,
  version integer,
  attempt integer,
  max_attempts integer,
  correlation_id text,
  provider text,
  options jsonb,
  metadata jsonb,
  parsed_path text,
  parsed_sha256 text,
  parsed_bytes bigint,
  parse_job_ids text[],
  lease_token uuid,
  leased_until timestamptz
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
-- The jobs that are due are read in order from their index, whatever number of jobs the planner expects.
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := upload_pipeline.clock();
  v_stage record;
  -- '' stands for the jobs that name none.
  v_providers text[];
  v_provider text;
  v_after uuid := coalesce(after, gen_random_uuid());
  v_from uuid;
  v_left integer := batch;
  v_due uuid[];
  v_in_turn boolean;
begin
  perform upload_pipeline.check_isolation();

  select s.terminal, s.claimable, s.paused_until > v_now as paused,
         exists (
           select
             from upload_pipeline.provider_pauses as p
            where p.status = s.status
              and p.provider = any (claim_jobs.providers)
              and p.paused_until > v_now
         ) as provider_paused,
         exists (
           select from upload_pipeline.upload_jobs as j where j.lease_token is not null and j.leased_until < v_now
         )
         -- Given by a clock that was ahead.
         or exists (
           select
             from upload_pipeline.upload_jobs as j
            where j.lease_token is not null
              and j.leased_until > v_now + interval '1 day 1 minute'
         ) as has_expired,
         exists (
           select
             from upload_pipeline.upload_jobs as j
            where j.status = claim_jobs.status
              and j.scheduled
              and j.claimable
              and j.upload_confirmed
              and j.lease_token is null
              and j.run_after <= v_now
         ) as has_scheduled,
         claim_jobs.providers is not null and exists (
           select
             from unnest(claim_jobs.providers) as served (provider)
             left join upload_pipeline.providers as p on p.provider = served.provider
            where (p.served_at between v_now - interval '1 minute' and v_now + interval '1 minute') is not true
         ) as serves_anew,
         exists (select from upload_pipeline.owner_settings as o where o.max_running is not null) as capped
    into v_stage
    from upload_pipeline.statuses as s
   where s.status = claim_jobs.status;

  if v_stage.terminal is distinct from false
    or length(worker) not between 1 and 200 or worker is null
    or batch not between 1 and 1000 or batch is null
    or lease not between interval '1 second' and interval '1 day' or lease is null
    or array_ndims(claim_jobs.providers) > 1
    or v_stage.serves_anew and exists (
      select
        from unnest(claim_jobs.providers) as served (provider)
       where served.provider is null or served.provider !~ '^[a-z][a-z0-9_]{0,62}$'
    )
  then
    raise exception 'worker % cannot claim % jobs of status % for %',
      coalesce(quote_literal(left(worker, 200)), 'null'), coalesce(batch::text, 'null'),
      coalesce(quote_literal(left(claim_jobs.status, 200)), 'null'), coalesce(lease::text, 'null')
      using errcode = 'UP006',
            detail = 'status is a row of upload_pipeline.statuses that is not terminal; worker has 1 to 200 '
              'characters; batch is 1 to 1000; lease is 1 second to 1 day; providers are words of lower-case letters, '
              'digits and _.',
            hint = 'For example: claim_jobs(status => ''parsed'', worker => ''host-1'', batch => 10).';
  end if;

  if v_stage.serves_anew then
    insert into upload_pipeline.providers (provider, served_at)
    select served.provider, v_now
      from unnest(claim_jobs.providers) as served (provider)
     order by served.provider
    on conflict on constraint providers_pkey do update
       set served_at = excluded.served_at;
  end if;

  -- A swept job becomes due later than v_now, so this call does not claim it. Postgres would check the foreign keys of
  -- a row that is written twice, which locks the document.
  if v_stage.has_expired then
    perform upload_pipeline.sweep_leases(greatest(batch, 10));
  end if;

  if v_stage.provider_paused then
    -- Jobs that name no provider would become jobs of the first one.
    takes_unnamed := takes_unnamed and not exists (
      select
        from upload_pipeline.provider_pauses as p
       where p.status = claim_jobs.status
         and p.provider = claim_jobs.providers[1]
         and p.paused_until > v_now
    );
    providers := array(
      select served.provider
        from unnest(claim_jobs.providers) with ordinality as served (provider, number)
       where not exists (
         select
           from upload_pipeline.provider_pauses as p
          where p.status = claim_jobs.status
            and p.provider = served.provider
            and p.paused_until > v_now
       )
       order by served.number
    );
  end if;

  if v_stage.paused or v_stage.provider_paused and providers = '{}' then
    return;
  end if;

  if claim_jobs.providers is null then
    v_providers := array(select p.provider from upload_pipeline.providers as p) || ''::text;
  elsif takes_unnamed then
    v_providers := claim_jobs.providers || ''::text;
  else
    v_providers := claim_jobs.providers;
  end if;

  if v_stage.has_scheduled then
    perform upload_pipeline.stage_jobs(status => claim_jobs.status, batch => greatest(batch, 50), due_by => v_now);
  end if;

  -- In turns: an owner may have less than an equal share, and a turn takes one priority of an owner.
  loop
    v_due := null;
    if v_stage.claimable then
      -- One job is the first that is free along the ring.
      if batch = 1 and not v_stage.capped then
        v_provider := v_providers[1];
        v_from := case when after is null then v_after else upload_pipeline.owner_after(after) end;
        for v_round in 1 .. 2 loop
          if cardinality(v_providers) > 1 then
            select served.provider into v_provider
              from unnest(v_providers) as served (provider)
              cross join lateral (
                select j.owner_id, j.priority, j.run_after
                  from upload_pipeline.upload_jobs as j
                 where j.status = claim_jobs.status
                   and j.claimable
                   and j.upload_confirmed
                   and j.lease_token is null
                   and not j.scheduled
                   and coalesce(j.provider, '') = served.provider
                   and j.owner_id >= v_from
                 order by j.owner_id, j.priority desc, j.run_after
                 limit 1
              ) as first
             order by first.owner_id, first.priority desc, first.run_after
             limit 1;
          end if;
          select array[j.job_id] into v_due
            from upload_pipeline.upload_jobs as j
           where j.status = claim_jobs.status
             and j.claimable
             and j.upload_confirmed
             and j.lease_token is null
             and not j.scheduled
             and coalesce(j.provider, '') = v_provider
             and j.owner_id >= v_from
           order by j.owner_id, j.priority desc, j.run_after
           limit 1
             for no key update skip locked;
          exit when found;
          v_from := '00000000-0000-0000-0000-000000000000';
        end loop;
      else
        select due.job_ids, due.last_owner into v_due, v_after
          from upload_pipeline.lock_due_jobs(
            claim_jobs.status, v_left, v_after, v_stage.capped, v_providers
          ) as due;
      end if;
    else
      v_due := upload_pipeline.lock_overdue_jobs(claim_jobs.status, batch, v_providers, v_now);
    end if;

    v_in_turn := v_stage.claimable and v_due is not null;
    if v_due is null and v_left = batch then
      v_due := upload_pipeline.lock_early_jobs(claim_jobs.status, batch, v_providers, v_now);
    end if;
    exit when v_due is null;

    return query
    update upload_pipeline.upload_jobs as j
       set lease_token = gen_random_uuid(),
           leased_by = claim_jobs.worker,
           leased_until = upload_pipeline.clock() + claim_jobs.lease,
           provider = coalesce(j.provider, claim_jobs.providers[1])
      -- Their order is that of the ring, and the rows keep it.
      from unnest(v_due) as due (job_id), upload_pipeline.documents as d
     where j.job_id = due.job_id
       and d.document_id = j.document_id
    returning j.job_id, j.document_id, j.owner_id, d.filename, d.mime, d.bytes_len, d.file_sha256::text, d.raw_path,
              j.version, j.attempt, j.max_attempts, j.correlation_id::text, j.provider, j.options::jsonb,
              j.metadata::jsonb, j.parsed_path, j.parsed_sha256::text, j.parsed_bytes,
              array(
                select p.parse_job_id
                  from upload_pipeline.provider_jobs as p
                 where p.job_id = j.job_id
                   and p.attempt = j.attempt
                   and (p.provider = j.provider or j.provider is null)
                 order by p.recorded_at desc, p.parse_job_id
              ),
              j.lease_token, j.leased_until;

    v_left := v_left - cardinality(v_due);
    exit when v_left = 0 or not v_in_turn;
  end loop;
end;
$$;

comment on function upload_pipeline.claim_jobs(text, text, integer, interval, text[], boolean, uuid) is
  'Claims up to `batch` jobs of a status for a worker, each with a lease and a fencing token of its own. If more are '
  'due, each owner gets an equal share: highest priority first, then oldest. `after` is the owner of the last row of '
  'the worker''s claim before; null begins anywhere. In a status that is not claimable it claims the jobs past their '
  'deadline. With `providers` it claims only jobs of these, and with takes_unnamed those that name none, which become '
  'jobs of the first of them. It claims none while the status is paused, and none of a provider that is paused there. '
  'It also ends expired leases of any status. parse_job_ids are the ids of the job''s provider for the current '
  'attempt, latest first. Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.claim_jobs(text, text, integer, interval, text[], boolean, uuid) from public;
grant execute on function upload_pipeline.claim_jobs(text, text, integer, interval, text[], boolean, uuid)
  to hookline_worker;
