create or replace view upload_pipeline.queue_health as
with recursive source (name) as (
  -- Takes one step along the index for each source, however many deliveries a source has.
  (select min(d.source) from upload_pipeline.webhook_deliveries as d)
  union all
  select (select min(d.source) from upload_pipeline.webhook_deliveries as d where d.source > source.name)
    from source
   where source.name is not null
), clock as materialized (
  select upload_pipeline.clock() as now
), leases as materialized (
  select j.status, count(*) as held, count(*) filter (where j.leased_until < clock.now) as expired
    from clock
    join upload_pipeline.upload_jobs as j on j.lease_token is not null
   group by j.status
), unfinished as materialized (
  -- No jobs are counted but those with a lease: a backlog of millions makes no difference.
  select s.status, s.claimable, s.has_content, c.jobs, first.since
    from upload_pipeline.statuses as s
    join upload_pipeline.status_counts as c on c.status = s.status
    cross join lateral (
      select min(j.updated_at) as since
        from upload_pipeline.upload_jobs as j
       where j.status = s.status
         and not j.terminal
    ) as first
   where not s.terminal
), awaited as materialized (
  -- Where webhooks fail to come, the jobs are the oldest. More of them would make this slow, and say no more.
  select asked.provider, count(*) as jobs, min(asked.updated_at) as since
    from unfinished as u
    cross join lateral (
      select j.updated_at,
             coalesce(
               j.provider,
               (
                 select min(p.provider)
                   from upload_pipeline.provider_jobs as p
                  where p.job_id = j.job_id
                    and p.attempt = j.attempt
               )
             ) as provider
        from upload_pipeline.upload_jobs as j
       where j.status = u.status
         and not j.terminal
       order by j.updated_at
       limit 1000
    ) as asked
   where not u.claimable
     and not u.has_content
   group by asked.provider
)
select u.status as queue,
       u.jobs as waiting,
       coalesce(l.held, 0) as leased,
       coalesce(l.expired, 0) as lease_expired,
       coalesce(o.jobs, 0) as overdue,
       clock.now - u.since as oldest
  from clock
  cross join unfinished as u
  left join leases as l on l.status = u.status
  left join upload_pipeline.overdue_counts as o on o.status = u.status
union all
select 'content: to store', count(*), 0, 0, count(*) filter (where c.tries > 3), max(clock.now - c.received_at)
  from clock
  cross join upload_pipeline.contents as c
 where c.path is not null
   and c.stored_at is null
   and c.run_after is not null
union all
select 'content: to decide', count(*), 0, 0, count(*), max(clock.now - c.received_at)
  from clock
  cross join upload_pipeline.contents as c
 where c.path is null
   and c.content is not null
union all
select 'delivery: parked', count(*), 0, 0,
       count(*) filter (where d.first_seen < clock.now - interval '10 minutes'), max(clock.now - d.first_seen)
  from clock
  cross join upload_pipeline.webhook_deliveries as d
 where d.outcome = 'parked'
union all
select 'object: to delete', count(*), 0, 0, count(*) filter (where e.tries > 3), max(clock.now - e.requested_at)
  from clock
  cross join upload_pipeline.deletions as e
union all
select 'provider: requests', count(*), 0, 0,
       count(*) filter (
         where r.tries > 3 or r.run_after is null or r.run_after < clock.now - interval '10 minutes'
       ),
       max(clock.now - r.requested_at)
  from clock
  cross join upload_pipeline.provider_requests as r
 where r.done_at is null
union all
select 'notification: to send', count(*), count(n.lease_token),
       count(*) filter (where n.lease_token is not null and n.run_after < clock.now),
       count(*) filter (where coalesce(e.ts, g.announced_at) < clock.now - interval '10 minutes'),
       max(clock.now - coalesce(e.ts, g.announced_at))
  from clock
  cross join upload_pipeline.notifications as n
  left join upload_pipeline.events as e
    on e.job_id = n.job_id
   and e.version = n.version
  left join upload_pipeline.job_groups as g on g.group_id = n.group_id
 where n.run_after is not null
union all
select 'notification: dead', count(*), 0, 0, count(*), max(clock.now - n.dead_at)
  from clock
  cross join upload_pipeline.notifications as n
 where n.dead_at is not null
union all
select 'source: ' || source.name, coalesce(a.jobs, 0), 0, 0,
       case when clock.now - greatest(a.since, last.seen) > interval '15 minutes' then coalesce(a.jobs, 0) else 0 end,
       clock.now - last.seen
  from clock
  cross join source
  cross join lateral (
    select max(d.first_seen) as seen
      from upload_pipeline.webhook_deliveries as d
     where d.source = source.name
  ) as last
  left join awaited as a on a.provider = upload_pipeline.provider_of(source.name)
 where source.name is not null;

comment on view upload_pipeline.queue_health is
  'One row for each place where work can wait: how many wait (leased or not), how many of them are leased, have an '
  'expired lease or are overdue (of a status, counted to 1,000), and how long ago the oldest took its last step. For a '
  'source, waiting is the number of jobs that its provider has (of the 1,000 oldest of each status), oldest is the '
  'time since its last delivery, and all its jobs are overdue after 15 minutes of silence.';

revoke all on upload_pipeline.queue_health from public;
grant select on upload_pipeline.queue_health to hookline_reader;
