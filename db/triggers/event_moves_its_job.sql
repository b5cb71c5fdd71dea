-- At commit, the job has taken the step that the event tells of. Versions are taken one at a time and each
-- needs its own event, so an event beyond the job's version is one that nothing happened for.
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
  'Refuses, at commit, an event whose step its job has not taken (UP010).';

revoke all on function upload_pipeline.event_moves_its_job() from public;

create constraint trigger event_moves_its_job
  after insert on upload_pipeline.events
  deferrable initially deferred
  for each row
  execute function upload_pipeline.event_moves_its_job();

alter table upload_pipeline.events enable always trigger event_moves_its_job;
