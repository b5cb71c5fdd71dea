create or replace view upload_pipeline.alerts as
with clock as materialized (
  select upload_pipeline.clock() as now
)
select 'stage_paused' as alert,
       s.status as subject,
       null::timestamptz as since,
       format('Paused until %s: %s', s.paused_until, s.paused_because) as detail
  from clock
  join upload_pipeline.statuses as s on s.paused_until > clock.now
union all
select 'credits_spent', coalesce(c.owner_id::text, 'all owners'), c.starts_at,
       format('%s of %s credits a %s are used; the window ends at %s', c.used, c.credits, c.period, c.resets_at)
  from upload_pipeline.credit_status as c
 where c.used >= 0.9 * c.credits
union all
select 'stage_incomplete', s.status, null,
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
select 'lease_unswept', j.leased_by, min(j.leased_until),
       format('%s leases have expired and no worker has swept them: is a worker running?', count(*))
  from clock
  join upload_pipeline.upload_jobs as j
    on j.lease_token is not null
   and j.leased_until < clock.now - interval '5 minutes'
 group by j.leased_by
union all
select 'jobs_overdue', j.status, min(j.deadline_at), format('%s jobs are past their deadline', count(*))
  from clock
  join upload_pipeline.upload_jobs as j
    on not j.terminal
   and j.upload_confirmed
   and j.deadline_at < clock.now - interval '5 minutes'
 group by j.status
union all
select 'source_silent', q.queue, clock.now - q.oldest,
       format(
         '%s jobs wait for the provider, and its last webhook came %s ago', q.waiting, date_trunc('second', q.oldest)
       )
  from clock
  cross join upload_pipeline.queue_health as q
 where q.queue like 'source: %'
   and q.overdue > 0
union all
select 'content_unstored', 'storage', min(c.received_at),
       format('%s contents could not be stored in more than 3 tries', count(*))
  from upload_pipeline.contents as c
 where c.path is not null
   and c.stored_at is null
   and c.tries > 3
having count(*) > 0
union all
select 'content_undecided', 'operator', min(c.received_at),
       format('%s contents of unknown shape wait for accept_content or discard_content', count(*))
  from upload_pipeline.contents as c
 where c.path is null
   and c.content is not null
having count(*) > 0;

comment on view upload_pipeline.alerts is
  'One row for each thing that needs a person. No row: all is well. Dead letters are in failed_jobs.';

revoke all on upload_pipeline.alerts from public;
grant select on upload_pipeline.alerts to hookline_reader;
