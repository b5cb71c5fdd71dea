-- Checked at commit: the job has taken the step of the event. Versions rise by one, and each needs an event of its
-- own. So an event beyond the job's version belongs to a step that did not happen.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.event_moves_its_job()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
      from upload_pipeline.upload_jobs as j
     where j.job_id = new.job_id
       and j.version < new.version
  ) then
    raise exception 'event % of job % tells of a step that the job has not taken', new.version, new.job_id
      using errcode = 'UP010',
            detail = 'An event and the job''s new version are committed together or not at all.',
            hint = 'Call a function of upload_pipeline instead of inserting into the table.';
  end if;

  return null;
end;
$$;

comment on function upload_pipeline.event_moves_its_job() is
  'Refuses, at commit, an event whose job has not taken the step (UP010).';

revoke all on function upload_pipeline.event_moves_its_job() from public;

create constraint trigger event_moves_its_job
  after insert on upload_pipeline.events
  deferrable initially deferred
  for each row
  execute function upload_pipeline.event_moves_its_job();

alter table upload_pipeline.events enable always trigger event_moves_its_job;
