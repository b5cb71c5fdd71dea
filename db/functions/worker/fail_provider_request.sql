-- Puts a request off, or gives it up for a person to decide. tries tells whether this is still the latest try: a claim
-- that came later knows better. A provider that is away never ends a request: it is tried once an hour then.
-- Locks: provider request. Calls: backoff, check_isolation, clock.
create or replace function upload_pipeline.fail_provider_request(
  provider text,
  parse_job_id text,
  kind text,
  tries integer,
  error text,
  permanent boolean default false
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
     set run_after = case
           when fail_provider_request.permanent is not true
           then upload_pipeline.clock() + upload_pipeline.backoff(r.tries - 1, cap => interval '1 hour')
         end,
         last_error = coalesce(
           nullif(left(regexp_replace(fail_provider_request.error, '\W', '_', 'g'), 100), ''), 'unknown'
         )
   where r.parse_job_id = fail_provider_request.parse_job_id
     and r.provider = fail_provider_request.provider
     and r.kind = fail_provider_request.kind
     and r.tries = fail_provider_request.tries
     and r.done_at is null;
$$;

comment on function upload_pipeline.fail_provider_request(text, text, text, integer, text, boolean) is
  'Says that a try of a request failed; tries is what claim_provider_requests answered. error is a code, a word. The '
  'request is due again after a pause that doubles with each try, up to an hour. permanent: the provider will never '
  'do it; it waits for settle_provider_requests. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.fail_provider_request(text, text, text, integer, text, boolean) from public;
grant execute on function upload_pipeline.fail_provider_request(text, text, text, integer, text, boolean)
  to hookline_worker;
