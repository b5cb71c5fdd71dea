-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.sum_credits(owner_id uuid, provider text, since timestamptz)
returns numeric
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(coalesce(r.billed, r.reserved)), 0)
    from upload_pipeline.credit_reservations as r
   where r.reserved_at >= sum_credits.since
     and r.provider = sum_credits.provider
     and (sum_credits.owner_id is null or r.owner_id = sum_credits.owner_id);
$$;

comment on function upload_pipeline.sum_credits(uuid, text, timestamptz) is
  'The credits of a provider that were billed, or are still reserved, since a time: of one owner, or of all if '
  'owner_id is null.';

revoke all on function upload_pipeline.sum_credits(uuid, text, timestamptz) from public;
