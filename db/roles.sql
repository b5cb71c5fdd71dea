-- Five roles that cannot log in. Grant one of them to each login role of your own.
-- Roles belong to the cluster: a second database finds them and uses them as they are.
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
      -- unique_violation: the installation in another database creates the role at the same time.
      when duplicate_object or unique_violation then null;
    end;
  end loop;

  -- A worker may call what the endpoint may call. An operator may read what a reader may read.
  if not pg_has_role('hookline_worker', 'hookline_ingest', 'member') then
    grant hookline_ingest to hookline_worker;
  end if;
  if not pg_has_role('hookline_operator', 'hookline_reader', 'member') then
    grant hookline_reader to hookline_operator;
  end if;

  -- To create objects for the owner, the installer needs `set role`. From Postgres 16 on, it is not enough to have
  -- created the role.
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
