create or replace view upload_pipeline.activity as
select a.at,
       case a.span when 'hour' then interval '1 hour' else interval '1 minute' end as span,
       a.from_status,
       a.to_status,
       a.code,
       coalesce(s.failed, false) as failed,
       sum(a.count)::bigint as count
  from upload_pipeline.activity_counts as a
  left join upload_pipeline.statuses as s on s.status = a.to_status
 where a.code is not null
   and a.span <> 'earlier'
 group by a.at, 2, a.from_status, a.to_status, a.code, s.failed;

comment on view upload_pipeline.activity is
  'How many steps jobs took, by time (at is its begin, span its length): minutes of the last day, hours of the last '
  '30 days. from_status is null where jobs were created; failed says that to_status is a dead letter. A step with '
  'the same status twice is a try that failed or was put off, or another event without a change of status.';

revoke all on upload_pipeline.activity from public;
grant select on upload_pipeline.activity to hookline_reader;
