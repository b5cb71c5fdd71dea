-- Changes nothing. A callback may come before our own bookkeeping, so an unknown provider job may be one of the current
-- attempt. It is not if that attempt went to another provider: then it belongs to the latest attempt that went to this
-- one, as the reservations say.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.answered_attempt(
  job upload_pipeline.upload_jobs,
  provider text,
  parse_job_id text
)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (
      select p.attempt
        from upload_pipeline.provider_jobs as p
       where p.parse_job_id = answered_attempt.parse_job_id
         and p.provider = answered_attempt.provider
         and p.job_id = job.job_id
    ),
    (
      select max(r.attempt)
        from upload_pipeline.credit_reservations as r
       where r.job_id = job.job_id
         and r.provider = answered_attempt.provider
      having max(r.attempt) < job.attempt
    )
  );
$$;

comment on function upload_pipeline.answered_attempt(upload_pipeline.upload_jobs, text, text) is
  'The attempt that a provider job answers. Null: unknown, so it may be the current one.';

revoke all on function upload_pipeline.answered_attempt(upload_pipeline.upload_jobs, text, text) from public;
