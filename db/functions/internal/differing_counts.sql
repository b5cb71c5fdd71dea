-- Compares status_counts with the jobs, in one statement: both numbers are of the same moment.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.differing_counts()
returns table (status text, counted bigint, jobs bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.status, c.jobs, coalesce(j.jobs, 0)
    from upload_pipeline.status_counts as c
    left join (
      select k.status, count(*) as jobs from upload_pipeline.upload_jobs as k group by k.status
    ) as j on j.status = c.status
   where c.jobs <> coalesce(j.jobs, 0);
$$;

comment on function upload_pipeline.differing_counts() is
  'One row for each status whose jobs are not as many as activity_counts says. Reads all jobs.';

revoke all on function upload_pipeline.differing_counts() from public;
