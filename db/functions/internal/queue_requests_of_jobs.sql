-- Writes one row of provider_requests for each provider job of these jobs that a worker can ask about: one of a known
-- provider, and none that was parsed here. The envelope of the local parser looks like one of LlamaCloud, apart from
-- its id. A request that was made before stays as it is.
-- Locks: provider request. Calls: none.
create or replace function upload_pipeline.queue_requests_of_jobs(
  kind text,
  job_ids uuid[],
  attempt integer default null
)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  insert into upload_pipeline.provider_requests (provider, parse_job_id, kind)
  select p.provider, p.parse_job_id, queue_requests_of_jobs.kind
    from upload_pipeline.provider_jobs as p
    join upload_pipeline.providers as k on k.provider = p.provider
   where p.job_id = any (queue_requests_of_jobs.job_ids)
     and p.provider <> 'local'
     and p.parse_job_id not like 'local-%'
     and (queue_requests_of_jobs.attempt is null or p.attempt = queue_requests_of_jobs.attempt)
   order by p.parse_job_id, p.provider
  on conflict on constraint provider_requests_pkey do nothing;
$$;

comment on function upload_pipeline.queue_requests_of_jobs(text, uuid[], integer) is
  'Asks the providers to cancel or delete the provider jobs of these jobs: of one attempt, or (null) of all. Leaves '
  'out what no worker could ask for: jobs of the local parser, and of a source that is no provider here.';

revoke all on function upload_pipeline.queue_requests_of_jobs(text, uuid[], integer) from public;
