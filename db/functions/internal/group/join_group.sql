-- Makes the group if it is missing, and keeps it open until the transaction ends: close_group waits for that. Jobs that
-- join the group at the same time do not wait for each other.
-- Locks: group. Calls: in_utc.
create or replace function upload_pipeline.join_group(group_id uuid, owner_id uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_group record;
begin
  -- Another round is needed only if purge deletes the group at this moment.
  loop
    select g.owner_id, g.closed_at into v_group
      from upload_pipeline.job_groups as g
     where g.group_id = join_group.group_id
       for share;
    exit when found;

    insert into upload_pipeline.job_groups (group_id, owner_id)
    values (join_group.group_id, join_group.owner_id)
    on conflict on constraint job_groups_pkey do nothing;
  end loop;

  if v_group.owner_id <> join_group.owner_id then
    raise exception 'group % is not of owner %', join_group.group_id, join_group.owner_id
      using errcode = 'UP006',
            detail = 'All jobs of a group have one owner: that of its first job.',
            hint = 'Pass another group_id. A new group needs no more than a new UUID.';
  end if;

  if v_group.closed_at is not null then
    raise exception 'group % is closed and takes no new job', join_group.group_id
      using errcode = 'UP006',
            detail = format('close_group was called at %s.', upload_pipeline.in_utc(v_group.closed_at)),
            hint = 'Pass another group_id, and call close_group after the last job of a group was made.';
  end if;
end;
$$;

comment on function upload_pipeline.join_group(uuid, uuid) is
  'Locks the group of a new job, so that it stays open, and makes it if it is missing. Raises UP006 if it is of '
  'another owner or closed.';

revoke all on function upload_pipeline.join_group(uuid, uuid) from public;
