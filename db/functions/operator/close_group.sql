-- Closes the group. It waits for calls of create_job that are adding a job, so that each of their jobs counts. A group
-- that is closed already stays as it is.
-- Locks: group. Calls: check_isolation, clock.
create or replace function upload_pipeline.close_group(group_id uuid)
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
  v_closed_at timestamptz;
begin
  perform upload_pipeline.check_isolation();

  select g.closed_at into v_closed_at
    from upload_pipeline.job_groups as g
   where g.group_id = close_group.group_id
     for no key update;
  if not found then
    raise exception 'unknown group %', coalesce(close_group.group_id::text, 'null')
      using errcode = 'UP001',
            detail = 'No row of upload_pipeline.job_groups has this group_id.',
            hint = 'A group begins with the first create_job that names it: see upload_pipeline.group_status.';
  end if;

  if v_closed_at is null then
    update upload_pipeline.job_groups as g
       set closed_at = upload_pipeline.clock(),
           check_after = case
             when exists (select from upload_pipeline.statuses as s where s.announced_since is not null)
             then upload_pipeline.clock()
           end
     where g.group_id = close_group.group_id;

    -- Only a hint: perhaps all its jobs are finished. An idle worker would find that at its next poll.
    perform pg_notify('hookline', 'notifications');
  end if;

  return (
    select count(*)
      from upload_pipeline.upload_jobs as j
     where j.group_id = close_group.group_id
       and not j.terminal
  );
end;
$$;

comment on function upload_pipeline.close_group(uuid) is
  'Says that the group gets no more jobs: create_job refuses them from now on. Once none of its jobs is unfinished, '
  'the application is told so, once. A group that is closed while announcements are off is not announced. Answers '
  'how many of its jobs are unfinished. Raises UP001.';

revoke all on function upload_pipeline.close_group(uuid) from public;
grant execute on function upload_pipeline.close_group(uuid) to hookline_operator;
