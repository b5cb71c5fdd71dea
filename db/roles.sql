-- Five roles, none of which can log in: a login role of your own is granted one of them.
-- Roles belong to the cluster, so a second database finds them there and takes them as they are.
do $$
declare
  v_role text;
  v_installer constant text := current_user;
begin
  foreach v_role in array array[
    'hookline_owner', 'hookline_ingest', 'hookline_worker', 'hookline_operator', 'hookline_reader'
  ] loop
    begin
      execute format('create role %I nologin', v_role);
    exception
      -- The second: another database's installation was at it at the same time.
      when duplicate_object or unique_violation then null;
    end;
  end loop;

  -- A worker may do what the endpoint may; an operator sees what a reader sees.
  if not pg_has_role('hookline_worker', 'hookline_ingest', 'member') then
    grant hookline_ingest to hookline_worker;
  end if;
  if not pg_has_role('hookline_operator', 'hookline_reader', 'member') then
    grant hookline_reader to hookline_operator;
  end if;

  -- Creating objects for the owner takes `set role`; being its creator does not suffice from 16 on.
  begin
    perform set_config('role', 'hookline_owner', true);
    perform set_config('role', v_installer, true);
  exception
    when insufficient_privilege then
      grant hookline_owner to current_user;
  end;
  execute format('grant create on database %I to hookline_owner', current_database());
end;
$$;
