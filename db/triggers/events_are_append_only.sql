-- A delete passes only when the row of the job is gone: a whole history may go with its job, but never a part of it.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.events_are_append_only()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' and not exists (
    select from upload_pipeline.upload_jobs as j where j.job_id = old.job_id
  ) then
    return old;
  end if;

  raise exception 'events are append-only: % refused', lower(tg_op)
    using errcode = 'UP010',
          detail = 'A history is kept whole. It is deleted only together with its job.',
          hint = 'Remove finished jobs with upload_pipeline.purge, a document with upload_pipeline.erase_document.';
end;
$$;

comment on function upload_pipeline.events_are_append_only() is
  'Refuses update, truncate, and delete of the events of a job that exists (UP010).';

revoke all on function upload_pipeline.events_are_append_only() from public;

create trigger events_are_append_only
  before update or delete on upload_pipeline.events
  for each row
  execute function upload_pipeline.events_are_append_only();

-- This also fires for `truncate ... cascade` of a table that events refers to.
create trigger events_are_never_truncated
  before truncate on upload_pipeline.events
  for each statement
  execute function upload_pipeline.events_are_append_only();

alter table upload_pipeline.events enable always trigger events_are_append_only;
alter table upload_pipeline.events enable always trigger events_are_never_truncated;
