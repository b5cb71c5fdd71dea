-- Changes nothing. Where nobody of ours works on the jobs, a worker asks the provider about those past their deadline.
-- Of several providers, the one with the oldest deadline comes first.
-- Locks: job (skip locked). Calls: none.
create or replace function upload_pipeline.lock_overdue_jobs(
  status text,
  batch integer,
  providers text[],
  due_by timestamptz
)
returns uuid[]
language sql
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(due.job_id)
    from (
      select j.job_id
        from (
          select served.provider
            from unnest(lock_overdue_jobs.providers) as served (provider)
           order by (
             select min(j.deadline_at)
               from upload_pipeline.upload_jobs as j
              where cardinality(lock_overdue_jobs.providers) > 1
                and j.status = lock_overdue_jobs.status
                and not j.claimable
                and j.upload_confirmed
                and j.lease_token is null
                and coalesce(j.provider, '') = served.provider
           )
        ) as served
        cross join lateral (
          select j.job_id
            from upload_pipeline.upload_jobs as j
           where j.status = lock_overdue_jobs.status
             and not j.claimable
             and j.upload_confirmed
             and j.lease_token is null
             and coalesce(j.provider, '') = served.provider
             and j.deadline_at <= lock_overdue_jobs.due_by
           order by j.deadline_at
           limit lock_overdue_jobs.batch
             for no key update skip locked
        ) as j
       limit lock_overdue_jobs.batch
    ) as due;
$$;

comment on function upload_pipeline.lock_overdue_jobs(text, integer, text[], timestamptz) is
  'Locks up to `batch` jobs of a status that is not claimable, past their deadline, the oldest of a provider first. '
  'providers: '''' stands for the jobs that name none.';

revoke all on function upload_pipeline.lock_overdue_jobs(text, integer, text[], timestamptz) from public;
