-- Changes nothing. Only a claim that has locked the owner knows for sure: see limit_shares.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.is_at_cap(owner_id uuid)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
      from upload_pipeline.owner_settings as o
     where o.owner_id = is_at_cap.owner_id
       and o.max_running <= (
         select count(*)
           from upload_pipeline.upload_jobs as j
          where j.owner_id = is_at_cap.owner_id
            and j.leased_by is not null
       )
  );
end;
$$;

comment on function upload_pipeline.is_at_cap(uuid) is
  'True: as many jobs of the owner are leased as max_running allows.';

revoke all on function upload_pipeline.is_at_cap(uuid) from public;
