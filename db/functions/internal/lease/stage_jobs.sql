-- Stages scheduled jobs whose time has come: from now on a claim may take them. The oldest come first.
-- Locks: job (skip locked). Calls: none.
create or replace function upload_pipeline.stage_jobs(status text, batch integer, due_by timestamptz)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  with due as materialized (
    select j.job_id
      from upload_pipeline.upload_jobs as j
     where j.status = stage_jobs.status
       and j.scheduled
       and j.claimable
       and j.upload_confirmed
       and j.lease_token is null
       and j.run_after <= stage_jobs.due_by
     order by j.run_after
     limit stage_jobs.batch
       for no key update skip locked
  )
  update upload_pipeline.upload_jobs as j
     set scheduled = false
    from due
   where j.job_id = due.job_id;
$$;

comment on function upload_pipeline.stage_jobs(text, integer, timestamptz) is
  'Makes up to `batch` scheduled jobs of a status claimable, whose run_after is no later than due_by.';

revoke all on function upload_pipeline.stage_jobs(text, integer, timestamptz) from public;
