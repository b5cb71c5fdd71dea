create or replace view upload_pipeline.notification_log as
select n.event_id,
       n.job_id,
       e.document_id,
       n.version,
       e.to_status as status,
       e.code,
       coalesce(e.ts, g.announced_at) as occurred_at,
       case
         when n.taken_at is not null then 'taken'
         when n.dead_at is not null then 'dead'
         when n.lease_token is not null then 'sending'
         else 'waiting'
       end as state,
       n.tries,
       n.run_after,
       n.taken_at,
       n.dead_at,
       n.error,
       n.group_id
  from upload_pipeline.notifications as n
  left join upload_pipeline.events as e
    on e.job_id = n.job_id
   and e.version = n.version
  left join upload_pipeline.job_groups as g on g.group_id = n.group_id;

comment on view upload_pipeline.notification_log is
  'One row for each notification: what the application is told about which step, or about which group that has ended '
  '(group_id, and no job), and whether it took it. state is waiting (for its first or next try), sending, taken or '
  'dead. tries counts the failed ones; error is why the last of them failed.';

revoke all on upload_pipeline.notification_log from public;
grant select on upload_pipeline.notification_log to hookline_reader;
