-- Writes one row of provider_jobs. An attempt that was only inferred from a callback is replaced by the one that was
-- submitted.
-- Locks: none (the caller holds that of the provider job). Calls: none.
create or replace function upload_pipeline.link_provider_job(
  provider text,
  parse_job_id text,
  job_id uuid,
  attempt integer,
  submitted boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if link_provider_job.parse_job_id is null then
    return;
  end if;

  insert into upload_pipeline.provider_jobs as p (provider, parse_job_id, job_id, attempt)
  values (
    link_provider_job.provider, link_provider_job.parse_job_id, link_provider_job.job_id, link_provider_job.attempt
  )
  on conflict on constraint provider_jobs_pkey do update
     set attempt = excluded.attempt
   where link_provider_job.submitted
     and p.attempt <> excluded.attempt;
end;
$$;

comment on function upload_pipeline.link_provider_job(text, text, uuid, integer, boolean) is
  'Records that a provider job belongs to this attempt of this job. Does nothing if parse_job_id is null.';

revoke all on function upload_pipeline.link_provider_job(text, text, uuid, integer, boolean) from public;
