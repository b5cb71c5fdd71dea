-- Checked at commit: the events of a new job are an unbroken chain from an initial status to the job's status. A job
-- that is created has one event; a restore brings a whole history. So the chain is checked, and not version 1.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.job_is_born_with_its_history()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job record;
begin
  select j.status, j.version into v_job
    from upload_pipeline.upload_jobs as j
   where j.job_id = new.job_id;
  if not found then
    return null;
  end if;

  if not exists (
    select
      from (
        select e.version, e.to_status, e.from_status,
               lag(e.to_status) over (order by e.version) as previous_status
          from upload_pipeline.events as e
         where e.job_id = new.job_id
      ) as step
      left join upload_pipeline.statuses as s on s.status = step.to_status
    having count(*) = v_job.version
       and max(step.version) = v_job.version
       and bool_and(step.from_status is not distinct from step.previous_status)
       and bool_and(s.was_initial) filter (where step.version = 1)
       and bool_and(step.to_status = v_job.status) filter (where step.version = v_job.version)
  ) then
    raise exception 'job % (%, version %) has no unbroken history', new.job_id, v_job.status, v_job.version
      using errcode = 'UP010',
            detail = 'Its events must lead, version by version, from an initial status to its own.',
            hint = 'Create jobs with upload_pipeline.create_job; restore upload_jobs and events in one transaction.';
  end if;

  return null;
end;
$$;

comment on function upload_pipeline.job_is_born_with_its_history() is
  'Refuses, at commit, a new job whose events do not lead from an initial status to its own (UP010).';

revoke all on function upload_pipeline.job_is_born_with_its_history() from public;

create constraint trigger job_is_born_with_its_history
  after insert on upload_pipeline.upload_jobs
  deferrable initially deferred
  for each row
  execute function upload_pipeline.job_is_born_with_its_history();

alter table upload_pipeline.upload_jobs enable always trigger job_is_born_with_its_history;
