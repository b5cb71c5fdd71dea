do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  create or replace view hookline_api.jobs with (security_invoker = true) as
  select j.job_id,
         j.document_id,
         d.owner_id,
         d.filename,
         d.mime,
         d.bytes_len,
         j.status,
         j.version,
         j.attempt,
         j.upload_confirmed,
         j.terminal as finished,
         j.failed,
         j.last_error ->> 'code' as error_code,
         j.last_error ->> 'error' as error,
         j.created_at,
         j.updated_at,
         -- After a retry the job still names the content of its earlier attempt.
         case when j.has_content then j.parsed_path end as parsed_path,
         case when j.has_content then j.parsed_sha256 end as parsed_sha256
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.documents as d on d.document_id = j.document_id;

  comment on view hookline_api.jobs is
    'The jobs of all owners, for the backend: what my_jobs shows, the owner, whether the upload is confirmed, and what '
    'the last failure said.';

  alter view hookline_api.jobs owner to hookline_owner;
  revoke all on hookline_api.jobs from public;
  grant select on hookline_api.jobs to service_role;
end;
$$;
