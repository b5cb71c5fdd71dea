-- Changes nothing. A clock that was a day ahead for a while has written times that are a day too late. So a job whose
-- last step is in the future is due, unless a right clock has set its run_after since. Pauses of more than ten minutes
-- are left alone: a right clock may have set them, and the job would be claimed again and again.
-- Locks: job (skip locked). Calls: none.
create or replace function upload_pipeline.lock_early_jobs(
  status text,
  batch integer,
  providers text[],
  at timestamptz
)
returns uuid[]
language sql
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(due.job_id)
    from (
      select j.job_id
        from upload_pipeline.upload_jobs as j
       where j.updated_at > lock_early_jobs.at + interval '1 minute'
         and j.status = lock_early_jobs.status
         and j.upload_confirmed
         and j.lease_token is null
         and case
               -- A step reads the clock for run_after before it does for updated_at.
               when j.claimable then j.run_after between j.updated_at - interval '10 seconds'
                                                     and j.updated_at + interval '10 minutes'
               else j.deadline_at >= j.updated_at
             end
         and coalesce(j.provider, '') = any (lock_early_jobs.providers)
       order by j.updated_at
       limit lock_early_jobs.batch
         for no key update skip locked
    ) as due;
$$;

comment on function upload_pipeline.lock_early_jobs(text, integer, text[], timestamptz) is
  'Locks up to `batch` jobs of a status whose times a clock has written that was ahead. providers: '''' stands for the '
  'jobs that name none.';

revoke all on function upload_pipeline.lock_early_jobs(text, integer, text[], timestamptz) from public;
