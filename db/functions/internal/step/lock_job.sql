-- Changes nothing. Every function takes its locks in one order: uploads of the owner (advisory), provider job
-- (advisory), provider, document, job, raw path (advisory), deletion, artifact, provider request, content, delivery,
-- reservation, cap, owner, fallback, status, provider pause, group, notification, refusal, activity (advisory).
-- Locks: job. Calls: check_isolation.
create or replace function upload_pipeline.lock_job(job_id uuid)
returns upload_pipeline.upload_jobs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs;
begin
  perform upload_pipeline.check_isolation();

  select j.* into v_job
    from upload_pipeline.upload_jobs as j
   where j.job_id = lock_job.job_id
     for no key update;
  if not found then
    raise exception 'unknown job %', coalesce(lock_job.job_id::text, 'null')
      using errcode = 'UP001',
            detail = 'No row of upload_pipeline.upload_jobs has this job_id.',
            hint = 'Look the job up in upload_pipeline.job_overview, or create one with upload_pipeline.create_job.';
  end if;

  return v_job;
end;
$$;

comment on function upload_pipeline.lock_job(uuid) is
  'Locks the job until the transaction ends and answers its row. Raises UP001, UP012.';

revoke all on function upload_pipeline.lock_job(uuid) from public;
