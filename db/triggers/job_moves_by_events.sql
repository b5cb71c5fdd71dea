-- The status and version of a job change together, by exactly one step, and only to the status that the event of that
-- version names. The event is inserted first; this trigger looks for it.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.job_moves_by_events()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.job_id <> old.job_id or new.document_id <> old.document_id or new.created_at <> old.created_at then
    raise exception 'job % cannot change its job_id, document_id or created_at', old.job_id
      using errcode = 'UP010',
            detail = 'History belongs to one job of one document.',
            hint = 'Create another job with upload_pipeline.create_job.';
  end if;

  if new.version = old.version and new.status = old.status then
    return new;
  end if;

  if new.version <> old.version + 1 or not exists (
    select
      from upload_pipeline.events as e
      join upload_pipeline.transitions as t
        on t.from_status = e.from_status
       and t.to_status = e.to_status
       and t.event_type = e.type
     where e.job_id = new.job_id
       and e.version = new.version
       and e.from_status = old.status
       and e.to_status = new.status
       and t.enabled
  ) then
    raise exception 'job % cannot go from % (version %) to % (version %)',
      old.job_id, old.status, old.version, new.status, new.version
      using errcode = 'UP010',
            detail = 'A status changes by one version, with the event of that version, along an enabled transition.',
            hint = 'Call a function of upload_pipeline instead of updating the table.';
  end if;

  return new;
end;
$$;

comment on function upload_pipeline.job_moves_by_events() is
  'Refuses a status or version of a job without the event that explains it (UP010).';

revoke all on function upload_pipeline.job_moves_by_events() from public;

create trigger job_moves_by_events
  before update on upload_pipeline.upload_jobs
  for each row
  execute function upload_pipeline.job_moves_by_events();

-- Always, because session_replication_role = replica switches ordinary triggers off.
alter table upload_pipeline.upload_jobs enable always trigger job_moves_by_events;
