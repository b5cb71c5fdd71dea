create or replace view upload_pipeline.overdue_counts as
with clock as materialized (
  -- A worker has five minutes to come.
  select upload_pipeline.clock() - interval '5 minutes' as latest
), held as materialized (
  select j.status, count(*) as jobs, min(j.deadline_at) as since
    from clock
    join upload_pipeline.upload_jobs as j on j.lease_token is not null and j.deadline_at < clock.latest
   group by j.status
)
select s.status,
       least(waiting.jobs + coalesce(held.jobs, 0), 1000) as jobs,
       waiting.jobs + coalesce(held.jobs, 0) > 1000 as or_more,
       least(waiting.since, held.since) as since
  from clock
  cross join upload_pipeline.statuses as s
  cross join lateral (
    -- By the index of deadlines, and no further than it has to.
    select count(*) as jobs, min(late.deadline_at) as since
      from (
        select j.deadline_at
          from upload_pipeline.upload_jobs as j
         where j.status = s.status
           and j.upload_confirmed
           and j.leased_by is null
           and j.deadline_at < clock.latest
         order by j.deadline_at
         limit 1001
      ) as late
  ) as waiting
  left join held on held.status = s.status
 where not s.terminal
   and (waiting.jobs > 0 or held.jobs > 0);

comment on view upload_pipeline.overdue_counts is
  'How many jobs of a status are five minutes past their deadline, and the earliest deadline (since). It counts to '
  '1,000; or_more says that there are more. No row: none. A job whose upload is not confirmed does not count: its file '
  'is waited for, and purge ends that.';

revoke all on upload_pipeline.overdue_counts from public;
grant select on upload_pipeline.overdue_counts to hookline_reader;
