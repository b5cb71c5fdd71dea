-- Claims requests: counts a try and moves run_after by five minutes. That is longer than any deadline of the worker's
-- calls, so a request comes again only after its worker has died. If run_after is later than any pause allows, a clock
-- that was ahead has set it. The request is then due, too.
-- Locks: provider request (skip locked). Calls: check_isolation, clock.
create or replace function upload_pipeline.claim_provider_requests(provider text, batch integer default 20)
returns table (parse_job_id text, kind text, tries integer)
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

  with due as materialized (
    select r.provider, r.parse_job_id, r.kind
      from upload_pipeline.provider_requests as r
     where r.provider = claim_provider_requests.provider
       and r.done_at is null
       and r.run_after <= (select upload_pipeline.clock())
     order by r.run_after
     limit least(greatest(coalesce(claim_provider_requests.batch, 1), 1), 1000)
       for no key update skip locked
  ), put_off as materialized (
    select r.provider, r.parse_job_id, r.kind
      from upload_pipeline.provider_requests as r
     where r.provider = claim_provider_requests.provider
       and r.done_at is null
       and r.run_after > (select upload_pipeline.clock()) + interval '2 hours'
       and not exists (select from due)
     order by r.run_after
     limit least(greatest(coalesce(claim_provider_requests.batch, 1), 1), 1000)
       for no key update skip locked
  )
  update upload_pipeline.provider_requests as r
     set tries = r.tries + 1,
         run_after = upload_pipeline.clock() + interval '5 minutes'
    from (
      select due.provider, due.parse_job_id, due.kind from due
      union all
      select put_off.provider, put_off.parse_job_id, put_off.kind from put_off
    ) as o
   where r.parse_job_id = o.parse_job_id
     and r.provider = o.provider
     and r.kind = o.kind
  returning r.parse_job_id, r.kind, r.tries;
$$;

comment on function upload_pipeline.claim_provider_requests(text, integer) is
  'Claims up to `batch` requests of a provider that are due: kind is cancel or delete. Send each within five minutes, '
  'then call finish_provider_request or fail_provider_request; otherwise it is due again. Raises 55P03 after waiting '
  '2 s for a lock.';

revoke all on function upload_pipeline.claim_provider_requests(text, integer) from public;
grant execute on function upload_pipeline.claim_provider_requests(text, integer) to hookline_worker;
