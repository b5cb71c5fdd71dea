create or replace view upload_pipeline.failed_jobs as
select j.job_id,
       j.document_id,
       d.owner_id,
       d.filename,
       j.status,
       j.attempt,
       j.max_attempts,
       j.last_error ->> 'code' as code,
       j.last_error ->> 'error' as error,
       j.correlation_id,
       j.provider,
       j.metadata,
       j.group_id,
       j.updated_at as failed_at
  from upload_pipeline.upload_jobs as j
  join upload_pipeline.documents as d on d.document_id = j.document_id
 where j.failed;

comment on view upload_pipeline.failed_jobs is
  'The dead letters: jobs that failed for good. retry_job or cancel_job takes them out.';

revoke all on upload_pipeline.failed_jobs from public;
grant select on upload_pipeline.failed_jobs to hookline_reader;
