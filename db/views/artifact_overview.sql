create or replace view upload_pipeline.artifact_overview as
select a.job_id,
       j.document_id,
       j.owner_id,
       a.kind,
       a.name,
       a.attempt,
       a.path,
       a.sha256,
       a.bytes,
       a.stored_at
  from upload_pipeline.artifacts as a
  join upload_pipeline.upload_jobs as j on j.job_id = a.job_id
 where a.stored_at is not null;

comment on view upload_pipeline.artifact_overview is
  'One row for each artifact that is stored: what a parser gave beside the markdown, and where it is.';

revoke all on upload_pipeline.artifact_overview from public;
grant select on upload_pipeline.artifact_overview to hookline_reader;
