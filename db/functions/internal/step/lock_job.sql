-- Takes the row lock of the job. Everywhere the order is: provider id (advisory), document, job, content, delivery.
create or replace function upload_pipeline.lock_job(job_id uuid)
returns upload_pipeline.upload_jobs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs;
begin
  select j.* into v_job
    from upload_pipeline.upload_jobs as j
   where j.job_id = lock_job.job_id
     for no key update;
  if not found then
    raise exception 'unknown job %', coalesce(lock_job.job_id::text, 'null')
      using errcode = 'UP001',
            detail = 'No row of upload_pipeline.upload_jobs has this job_id.',
            hint = 'Look the job up in upload_pipeline.job_overview; make one with upload_pipeline.create_job.';
  end if;

  return v_job;
end;
$$;

comment on function upload_pipeline.lock_job(uuid) is
  'The job, locked until the transaction ends. Raises UP001.';

revoke all on function upload_pipeline.lock_job(uuid) from public;
