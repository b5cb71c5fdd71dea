-- Changes nothing. The lock is held until the transaction ends, so that two claims never count the same owner's leases
-- at once: each would then give as many as the cap has left.
-- Locks: owner (advisory, skipped if another claim has it). Calls: none.
create or replace function upload_pipeline.limit_shares(owners uuid[], share integer)
returns integer[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_shares integer[] := array_fill(share, array[cardinality(owners)]);
  v_left integer;
  v_cap integer;
begin
  for i in 1 .. cardinality(owners) loop
    select o.max_running into v_cap from upload_pipeline.owner_settings as o where o.owner_id = owners[i];
    continue when v_cap is null;

    v_shares[i] := 0;
    continue when not pg_try_advisory_xact_lock(hashtextextended(owners[i]::text, 3));

    -- Counted after the lock, in a snapshot of its own.
    select v_cap - count(*) into v_left
      from upload_pipeline.upload_jobs as j
     where j.owner_id = owners[i]
       and j.leased_by is not null;
    v_shares[i] := greatest(0, least(share, v_left));
  end loop;

  return v_shares;
end;
$$;

comment on function upload_pipeline.limit_shares(uuid[], integer) is
  'What each owner may have of an equal share: no more than max_running leaves.';

revoke all on function upload_pipeline.limit_shares(uuid[], integer) from public;
