-- Writes one row of provider_requests. A request that was made before stays as it is. What was parsed here is nowhere
-- else.
-- Locks: provider request. Calls: none.
create or replace function upload_pipeline.queue_provider_request(provider text, parse_job_id text, kind text)
returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  insert into upload_pipeline.provider_requests (provider, parse_job_id, kind)
  select queue_provider_request.provider, queue_provider_request.parse_job_id, queue_provider_request.kind
   where queue_provider_request.provider <> 'local'
     and queue_provider_request.parse_job_id not like 'local-%'
  on conflict on constraint provider_requests_pkey do nothing;
$$;

comment on function upload_pipeline.queue_provider_request(text, text, text) is
  'Asks a provider to cancel or delete one provider job.';

revoke all on function upload_pipeline.queue_provider_request(text, text, text) from public;
