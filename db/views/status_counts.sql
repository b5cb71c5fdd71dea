create or replace view upload_pipeline.status_counts as
select s.status,
       coalesce(counted.jobs, 0)::bigint as jobs,
       s.terminal,
       s.failed
  from upload_pipeline.statuses as s
  left join (
    select of_status.status, sum(of_status.jobs) as jobs
      from upload_pipeline.activity_counts as a
      cross join lateral (values (a.to_status, a.count), (a.from_status, -a.count)) as of_status (status, jobs)
     where a.source is null
       and a.from_status is distinct from a.to_status
     group by of_status.status
  ) as counted on counted.status = s.status;

comment on view upload_pipeline.status_counts is
  'How many jobs each status has: exact, and read without counting jobs.';

revoke all on upload_pipeline.status_counts from public;
grant select on upload_pipeline.status_counts to hookline_reader;
