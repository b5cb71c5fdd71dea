create or replace view upload_pipeline.document_overview as
select d.document_id,
       d.owner_id,
       d.filename,
       d.mime,
       d.bytes_len,
       d.file_sha256,
       d.raw_path,
       d.upload_confirmed,
       cardinality(j.job_ids) as jobs,
       j.job_ids,
       d.purged_paths,
       d.created_at
  from upload_pipeline.documents as d
  cross join lateral (
    select array(
      select j.job_id
        from upload_pipeline.upload_jobs as j
       where j.document_id = d.document_id
       order by j.job_id desc
    ) as job_ids
  ) as j;

comment on view upload_pipeline.document_overview is
  'A row a document, those whose jobs were purged too: its file, where that is, whether its upload is confirmed, its '
  'jobs, the newest first, and the objects of purged jobs.';

revoke all on upload_pipeline.document_overview from public;
grant select on upload_pipeline.document_overview to hookline_reader;
