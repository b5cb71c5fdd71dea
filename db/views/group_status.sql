create or replace view upload_pipeline.group_status as
select g.group_id,
       g.owner_id,
       jobs.total,
       jobs.unfinished,
       jobs.complete,
       jobs.failed,
       jobs.cancelled,
       g.closed_at is not null and jobs.unfinished = 0 as ended,
       g.created_at,
       g.closed_at,
       g.announced_at
  from upload_pipeline.job_groups as g
  cross join lateral (
    select count(*) as total,
           count(*) filter (where not j.terminal) as unfinished,
           count(*) filter (where j.terminal and not j.failed and j.status <> 'cancelled') as complete,
           count(*) filter (where j.failed) as failed,
           count(*) filter (where j.status = 'cancelled') as cancelled
      from upload_pipeline.upload_jobs as j
     where j.group_id = g.group_id
  ) as jobs;

comment on view upload_pipeline.group_status is
  'One row for each group: how many jobs it has and how they ended. Failed jobs count as finished. ended: it is closed '
  'and none of its jobs is unfinished now. announced_at: when a worker found that, the first time.';

revoke all on upload_pipeline.group_status from public;
grant select on upload_pipeline.group_status to hookline_reader;
