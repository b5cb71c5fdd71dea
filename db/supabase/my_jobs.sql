do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  create or replace view hookline_api.my_jobs with (security_invoker = true) as
  select j.job_id,
         j.document_id,
         d.filename,
         d.mime,
         d.bytes_len,
         j.status,
         j.version,
         j.attempt,
         j.terminal as finished,
         j.failed,
         j.last_error ->> 'code' as error_code,
         j.metadata,
         j.priority,
         j.created_at,
         j.updated_at,
         -- After a retry the job still names the content of its earlier attempt.
         case when j.has_content then j.parsed_path end as parsed_path,
         case when j.has_content then j.parsed_sha256 end as parsed_sha256
    from upload_pipeline.documents as d
    join upload_pipeline.upload_jobs as j on j.document_id = d.document_id
   where d.owner_id = (select auth.uid());

  comment on view hookline_api.my_jobs is
    'The jobs of the signed-in user''s own documents: the status of each, since when, the code of its last failure, '
    'its metadata, and, once it is parsed, where the markdown is (storage://<bucket>/<key>) with the SHA-256 of its '
    'bytes in hex.';

  alter view hookline_api.my_jobs owner to hookline_owner;
  revoke all on hookline_api.my_jobs from public;
  grant select on hookline_api.my_jobs to authenticated;
end;
$$;
