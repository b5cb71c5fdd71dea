-- Changes nothing. Locks the job that a delivery answers, and checks that the ids belong together.
-- Locks: document (if a report is parked), job. Calls: lock_job, provider_of.
create or replace function upload_pipeline.lock_answered_job(
  job_id uuid,
  document_id uuid,
  provider text,
  parse_job_id text
)
returns upload_pipeline.upload_jobs
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs;
  v_other_job_id uuid;
begin
  -- Parked deliveries will be applied in this transaction. They write the job's row a second time, and Postgres then
  -- checks its foreign keys again, which locks the document. The document has to be locked before the job.
  if exists (
    select
      from upload_pipeline.webhook_deliveries as d
     where d.parse_job_id = lock_answered_job.parse_job_id
       and upload_pipeline.provider_of(d.source) = lock_answered_job.provider
       and d.job_id is null
       and d.outcome = 'parked'
  ) then
    perform
      from upload_pipeline.documents as d
     where d.document_id = (
       select j.document_id from upload_pipeline.upload_jobs as j where j.job_id = lock_answered_job.job_id
     )
       for key share;
  end if;
  v_job := upload_pipeline.lock_job(lock_answered_job.job_id);

  if lock_answered_job.document_id <> v_job.document_id then
    raise exception 'document % is not the document of job %', lock_answered_job.document_id, v_job.job_id
      using errcode = 'UP004',
            detail = 'Nothing was changed.',
            hint = 'Send the document_id that create_job returned with this job_id.';
  end if;

  select p.job_id into v_other_job_id
    from upload_pipeline.provider_jobs as p
   where p.parse_job_id = lock_answered_job.parse_job_id
     and p.provider = lock_answered_job.provider
     and p.job_id <> v_job.job_id;
  if found then
    raise exception 'provider job % does not belong to job %', lock_answered_job.parse_job_id, v_job.job_id
      using errcode = 'UP004',
            detail = format('It was recorded for job %s. Nothing was changed.', v_other_job_id),
            hint = 'Send the job_id for which the provider job was submitted.';
  end if;

  return v_job;
end;
$$;

comment on function upload_pipeline.lock_answered_job(uuid, uuid, text, text) is
  'Locks the job that a delivery answers and answers its row. An id that is null is not checked. Raises UP001, '
  'UP004.';

revoke all on function upload_pipeline.lock_answered_job(uuid, uuid, text, text) from public;
