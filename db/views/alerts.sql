create or replace view upload_pipeline.alerts as
with clock as materialized (
  select upload_pipeline.clock() as now
), found as (
  select 'stage_paused' as alert,
         s.status as subject,
         null::timestamptz as since,
         null::bigint as count,
         format(
           'Paused by %s until %s: %s', s.paused_by, upload_pipeline.in_utc(s.paused_until), s.paused_because
         ) as detail
    from clock
    join upload_pipeline.statuses as s on s.paused_until > clock.now
  union all
  select 'stage_paused', format('%s: %s', p.status, p.provider), null, null,
         format(
           'Paused for this provider by %s until %s: %s', p.paused_by, upload_pipeline.in_utc(p.paused_until),
           p.paused_because
         )
    from clock
    join upload_pipeline.provider_pauses as p on p.paused_until > clock.now
  union all
  select 'credits_spent', format('%s: %s', c.provider, coalesce(c.owner_id::text, 'all owners')), c.starts_at, null,
         format(
           '%s of %s credits a %s are used; the window ends at %s', c.used, c.credits, c.period,
           upload_pipeline.in_utc(c.resets_at)
         )
    from upload_pipeline.credit_status as c
   where c.used >= 0.9 * c.credits
     and c.scope <> 'each'
  union all
  select 'credits_spent', format('%s: each owner', c.provider), min(c.starts_at), count(*),
         format(
           '%s owners have used nine tenths of the %s credits a %s that each may spend', count(*), c.credits, c.period
         )
    from upload_pipeline.credit_status as c
   where c.used >= 0.9 * c.credits
     and c.scope = 'each'
     and c.owner_id is not null
   group by c.provider, c.credits, c.period
  union all
  select 'stage_incomplete', s.status, null, null,
         format(
           'There is no enabled step to %s by %s, so a failed try here is not counted', step.to_status, step.event_type
         )
    from upload_pipeline.statuses as s
    cross join lateral (
      select s.status as to_status, 'retry' as event_type
      union all
      select c.to_status, c.event_type from upload_pipeline.event_codes as c where c.code = s.failure_code
    ) as step
   where not s.terminal
     and not exists (
       select
         from upload_pipeline.transitions as t
        where (t.from_status, t.to_status, t.event_type) = (s.status, step.to_status, step.event_type)
          and t.enabled
     )
  union all
  select 'stage_incomplete', s.status, null, null,
         format(
           'Its failure_code %s leads to %s, where jobs have content, and a job here may have none, so its failure '
           'cannot be recorded', c.code, c.to_status
         )
    from upload_pipeline.statuses as s
    join upload_pipeline.event_codes as c on c.code = s.failure_code
    join upload_pipeline.statuses as f on f.status = c.to_status and f.has_content
   where not s.terminal
     and not s.has_content
  union all
  select 'lease_unswept', j.leased_by, min(j.leased_until), count(*),
         format('%s leases have expired and no worker has swept them: is a worker running?', count(*))
    from clock
    join upload_pipeline.upload_jobs as j
      on j.lease_token is not null
     and j.leased_until < clock.now - interval '5 minutes'
   group by j.leased_by
  union all
  select 'jobs_overdue', o.status, o.since, o.jobs,
         format('%s jobs are past their deadline', case when o.or_more then o.jobs || ' or more' else o.jobs::text end)
    from upload_pipeline.overdue_counts as o
  union all
  select 'upload_unconfirmed', j.status, min(j.updated_at), count(*),
         format('%s jobs have moved on, but nobody confirmed their upload, so no worker claims them', count(*))
    from clock
    join upload_pipeline.statuses as s on not s.initial and not s.terminal
    join upload_pipeline.upload_jobs as j
      on j.status = s.status
     and not j.terminal
     and not j.upload_confirmed
     and j.updated_at < clock.now - interval '5 minutes'
   group by j.status
  union all
  select 'source_silent', q.queue, clock.now - q.oldest, q.waiting,
         format(
           '%s jobs wait for the provider, and its last webhook came %s ago', q.waiting, date_trunc('second', q.oldest)
         )
    from clock
    cross join upload_pipeline.queue_health as q
   where q.queue like 'source: %'
     and q.overdue > 0
  union all
  select 'content_unstored', 'storage', min(c.received_at), count(*),
         format('%s contents could not be stored in more than 3 tries', count(*))
    from upload_pipeline.contents as c
   where c.path is not null
     and c.stored_at is null
     and c.run_after is not null
     and c.tries > 3
  having count(*) > 0
  union all
  select 'content_undecided', 'operator', min(c.received_at), count(*),
         format('%s contents of unknown shape wait for accept_content or discard_content', count(*))
    from upload_pipeline.contents as c
   where c.path is null
     and c.content is not null
  having count(*) > 0
  union all
  select 'delivery_parked', 'operator', min(d.first_seen), count(*),
         format('%s deliveries are parked for more than 10 minutes: nobody knows their provider job', count(*))
    from clock
    join upload_pipeline.webhook_deliveries as d
      on d.outcome = 'parked'
     and d.first_seen < clock.now - interval '10 minutes'
  having count(*) > 0
  union all
  select 'object_undeleted', 'storage', min(e.requested_at), count(*),
         format('%s objects could not be deleted in more than 3 tries', count(*))
    from upload_pipeline.deletions as e
   where e.tries > 3
  having count(*) > 0
  union all
  select 'provider_request_undone', r.provider, min(r.requested_at), count(*),
         format(
           '%s requests to cancel or delete are not done: %s were refused, %s failed more than 3 times, for %s no '
           'worker came', count(*), count(*) filter (where r.run_after is null),
           count(*) filter (where r.run_after is not null and r.tries > 3),
           count(*) filter (where r.run_after is not null and r.tries <= 3)
         )
    from clock
    join upload_pipeline.provider_requests as r
      on r.done_at is null
     and (r.tries > 3 or r.run_after is null or r.run_after < clock.now - interval '10 minutes')
   group by r.provider
  union all
  select 'notification_unsent', 'application', min(coalesce(e.ts, g.announced_at)), count(*),
         format(
           '%s notifications are not taken after 10 minutes; the most frequent error: %s', count(*),
           coalesce(
             mode() within group (order by n.error), 'none, so does a worker with HOOKLINE_NOTIFY_URL run?'
           )
         )
    from clock
    join upload_pipeline.notifications as n on n.run_after is not null
    left join upload_pipeline.events as e on e.job_id = n.job_id and e.version = n.version
    left join upload_pipeline.job_groups as g on g.group_id = n.group_id
   where coalesce(e.ts, g.announced_at) < clock.now - interval '10 minutes'
  having count(*) > 0
  union all
  select 'notification_dead', 'application', min(n.dead_at), count(*),
         format('%s notifications were given up: the application was not told of these steps', count(*))
    from upload_pipeline.notifications as n
   where n.dead_at is not null
  having count(*) > 0
  union all
  -- In transactions, which everybody may see, not in minutes: dead rows slow claims down by their number, and nothing
  -- is slow on a server where nothing happens. The names of the catalogue have another collation than our texts;
  -- without collate, subject has none, and nobody can compare it or order by it.
  select 'snapshot_held', held.holder collate "default", null, null,
         format('It keeps the rows of the last %s transactions from vacuum, which slows every claim', held.age)
    from (
      select format('process %s of role %s', a.pid, coalesce(a.usename, '?')) as holder,
             greatest(age(a.backend_xmin), age(a.backend_xid)) as age
        from pg_catalog.pg_stat_activity as a
       where a.datname = current_database()
         and a.pid <> pg_backend_pid()
      union all
      select format('replication slot %s', r.slot_name), greatest(age(r.xmin), age(r.catalog_xmin))
        from pg_catalog.pg_replication_slots as r
      union all
      select format('prepared transaction %s', p.gid), age(p.transaction)
        from pg_catalog.pg_prepared_xacts as p
       where p.database = current_database()
    ) as held
   where held.age > 50000
  union all
  -- In a backlog the first jobs of the ring of owners tell enough: all of them wait.
  select 'work_unclaimed', s.status, due.since, null,
         format('Jobs are due since %s and no worker has one: does a worker with this stage run?',
                upload_pipeline.in_utc(due.since))
    from clock
    cross join upload_pipeline.statuses as s
    cross join lateral (
      select min(waiting.run_after) as since
        from (
          (
            select j.run_after
              from upload_pipeline.upload_jobs as j
             where j.status = s.status
               and j.claimable
               and j.upload_confirmed
               and j.lease_token is null
               and not j.scheduled
             order by j.status, coalesce(j.provider, ''), j.owner_id, j.priority desc, j.run_after
             limit 100
          )
          union all
          (
            select j.run_after
              from upload_pipeline.upload_jobs as j
             where j.status = s.status
               and j.scheduled
               and j.claimable
               and j.upload_confirmed
               and j.lease_token is null
             order by j.run_after
             limit 1
          )
        ) as waiting
    ) as due
   where s.claimable
     -- Without it, jobs may stay here for ever: nobody has to work on them.
     and s.overdue_after is not null
     and coalesce(s.paused_until <= clock.now, true)
     and not exists (
       select from upload_pipeline.provider_pauses as p where p.status = s.status and p.paused_until > clock.now
     )
     and due.since < clock.now - interval '5 minutes'
     and not exists (
       select
         from upload_pipeline.upload_jobs as j
        where j.lease_token is not null
          and j.leased_until >= clock.now
          and j.status = s.status
     )
  union all
  -- More of them would make this slow, and say no more.
  select 'provider_unserved', p.provider, min(j.run_after), count(*),
         format('Jobs wait for a worker that has the provider %s, and none has claimed for it in 5 minutes', p.provider)
    from clock
    join upload_pipeline.statuses as s on s.claimable and not s.has_content
    cross join lateral (
      select p.provider
        from upload_pipeline.providers as p
       where (p.served_at > clock.now - interval '5 minutes') is not true
       -- There are fewer. It tells the planner so: of a table that nobody has analyzed, it expects a thousand rows.
       limit 50
    ) as p
    cross join lateral (
      (
        select j.run_after
          from upload_pipeline.upload_jobs as j
         where j.status = s.status
           and j.claimable
           and j.upload_confirmed
           and j.lease_token is null
           and not j.scheduled
           and coalesce(j.provider, '') = p.provider
           and j.run_after < clock.now - interval '5 minutes'
         limit 100
      )
      union all
      -- No claim has staged them.
      select later.run_after
        from (
          select j.run_after, j.provider
            from upload_pipeline.upload_jobs as j
           where j.status = s.status
             and j.scheduled
             and j.claimable
             and j.upload_confirmed
             and j.lease_token is null
             and j.run_after < clock.now - interval '5 minutes'
           order by j.run_after
           limit 100
        ) as later
       where later.provider = p.provider
    ) as j
   group by p.provider
  union all
  select 'dead_letters', a.code, min(a.at), sum(a.count)::bigint,
         format('%s jobs failed for good by %s in the last hour', sum(a.count), a.code)
    from clock
    join upload_pipeline.activity_counts as a on a.at > clock.now - interval '1 hour' and a.at <= clock.now
    join upload_pipeline.statuses as s on s.status = a.to_status and s.failed
   where a.code is not null
     and a.from_status is distinct from a.to_status
   group by a.code
  -- A few files are always broken.
  having sum(a.count) >= 10
  union all
  select 'leases_expiring', a.to_status, min(a.at), sum(a.count)::bigint,
         format('%s leases expired in the last 15 minutes: workers die or hang', sum(a.count))
    from clock
    join upload_pipeline.activity_counts as a on a.at > clock.now - interval '15 minutes' and a.at <= clock.now
   where a.code = 'lease_expired'
   group by a.to_status
  having sum(a.count) >= 3
  union all
  -- On a public address a few refusals come from strangers.
  select 'deliveries_refused', r.source, min(r.minute), sum(r.count)::bigint,
         format('%s deliveries were refused in the last hour, most of them as %s', sum(r.count),
                (array_agg(r.reason order by r.count desc))[1])
    from clock
    join upload_pipeline.refused_deliveries as r on r.minute > clock.now - interval '1 hour' and r.minute <= clock.now
   group by r.source
  having sum(r.count) >= 10
)
select f.alert,
       f.subject,
       f.since,
       f.detail,
       f.count,
       case
         when f.alert in (
           'content_unstored', 'deliveries_refused', 'jobs_overdue', 'lease_unswept', 'notification_unsent',
           'provider_unserved', 'source_silent', 'work_unclaimed'
         ) then 'critical'
         else 'warning'
       end as severity,
       'db/README.md#' || f.alert as runbook
  from found as f;

comment on view upload_pipeline.alerts is
  'One row for each thing that needs a person. No row: all is well. since and count are null where they are not known. '
  'severity is critical where work stands still, else warning. runbook is a section of the handbook.';

revoke all on upload_pipeline.alerts from public;
grant select on upload_pipeline.alerts to hookline_reader;
