-- Decides on requests that are not done: makes them due at once, with their tries counted anew, or marks them as done
-- by hand.
-- Locks: provider request. Calls: check_isolation, clock, record_action.
create or replace function upload_pipeline.settle_provider_requests(
  provider text,
  parse_job_id text default null,
  by_hand boolean default false,
  reason text default null
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_settled bigint;
begin
  perform upload_pipeline.check_isolation();

  with open as materialized (
    select r.provider, r.parse_job_id, r.kind
      from upload_pipeline.provider_requests as r
     where r.provider = settle_provider_requests.provider
       and (settle_provider_requests.parse_job_id is null or r.parse_job_id = settle_provider_requests.parse_job_id)
       and r.done_at is null
     order by r.parse_job_id, r.kind
       for no key update
  )
  update upload_pipeline.provider_requests as r
     set run_after = case when by_hand then null else upload_pipeline.clock() end,
         tries = case when by_hand then r.tries else 0 end,
         done_at = case when by_hand then upload_pipeline.clock() end,
         result = case when by_hand then 'by_hand' end
    from open
   where r.parse_job_id = open.parse_job_id
     and r.provider = open.provider
     and r.kind = open.kind;
  get diagnostics v_settled = row_count;

  if v_settled > 0 then
    perform upload_pipeline.record_action(
      'settle_provider_requests', settle_provider_requests.reason,
      details => jsonb_build_object('provider', provider, 'by_hand', by_hand is true, 'requests', v_settled)
    );
  end if;

  return v_settled;
end;
$$;

comment on function upload_pipeline.settle_provider_requests(text, text, boolean, text) is
  'Decides on requests to a provider that are not done: one provider job''s, or (null) all. They are sent again at '
  'once, once the cause of their failure is gone; or, with by_hand, they count as done, because somebody did it '
  'there, or the provider is not used any more. Answers how many there were.';

revoke all on function upload_pipeline.settle_provider_requests(text, text, boolean, text) from public;
grant execute on function upload_pipeline.settle_provider_requests(text, text, boolean, text) to hookline_operator;
