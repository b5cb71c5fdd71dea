create or replace view upload_pipeline.queue_health as
with clock as materialized (
  select upload_pipeline.clock() as now
)
select s.status as queue,
       count(j.job_id) as waiting,
       count(j.lease_token) as leased,
       count(*) filter (where j.leased_until < clock.now) as lease_expired,
       count(*) filter (where j.deadline_at < clock.now) as overdue,
       clock.now - min(j.updated_at) as oldest
  from clock
  cross join upload_pipeline.statuses as s
  left join upload_pipeline.upload_jobs as j on j.status = s.status and not j.terminal
 where not s.terminal
 group by s.status, clock.now
union all
select 'content: to store', count(*), 0, 0, count(*) filter (where c.tries > 3), max(clock.now - c.received_at)
  from clock
  cross join upload_pipeline.contents as c
 where c.path is not null
   and c.stored_at is null
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
  cross join upload_pipeline.deletions as e;

comment on view upload_pipeline.queue_health is
  'A row for each place where work can wait: how much (held by a worker or not), how much of it '
  'too long, and how long ago the oldest took its last step.';

revoke all on upload_pipeline.queue_health from public;
grant select on upload_pipeline.queue_health to hookline_reader;
