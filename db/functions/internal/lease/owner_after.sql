-- Changes nothing. A search from here on, with >=, goes on after the owner.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.owner_after(owner_id uuid)
returns uuid
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bytes bytea := uuid_send(owner_after.owner_id);
begin
  for v_place in reverse 15 .. 0 loop
    if get_byte(v_bytes, v_place) < 255 then
      v_bytes := set_byte(v_bytes, v_place, get_byte(v_bytes, v_place) + 1);
      exit;
    end if;
    v_bytes := set_byte(v_bytes, v_place, 0);
  end loop;

  return encode(v_bytes, 'hex')::uuid;
end;
$$;

comment on function upload_pipeline.owner_after(uuid) is
  'The next id in the order of ids; after the highest the lowest.';

revoke all on function upload_pipeline.owner_after(uuid) from public;
