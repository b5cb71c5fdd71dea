-- Marks a request as done. That is true whichever try has done it, so no try is asked for.
-- Locks: provider request. Calls: check_isolation, clock.
create or replace function upload_pipeline.finish_provider_request(
  provider text,
  parse_job_id text,
  kind text,
  result text default 'done'
)
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
  select upload_pipeline.check_isolation();

  update upload_pipeline.provider_requests as r
     set run_after = null,
         done_at = upload_pipeline.clock(),
         result = finish_provider_request.result
   where r.parse_job_id = finish_provider_request.parse_job_id
     and r.provider = finish_provider_request.provider
     and r.kind = finish_provider_request.kind
     and r.done_at is null;
$$;

comment on function upload_pipeline.finish_provider_request(text, text, text, text) is
  'Says that a request is done: result is done, ended (there was nothing to cancel), unknown (the provider does not '
  'know the job) or not_offered (the provider has no such call). Safe to repeat. Raises 55P03 after waiting 2 s for '
  'a lock.';

revoke all on function upload_pipeline.finish_provider_request(text, text, text, text) from public;
grant execute on function upload_pipeline.finish_provider_request(text, text, text, text) to hookline_worker;
