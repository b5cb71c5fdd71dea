do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  create or replace view hookline_api.my_artifacts with (security_invoker = true) as
  select a.job_id,
         a.kind,
         a.name,
         a.path,
         a.sha256,
         a.bytes
    from upload_pipeline.documents as d
    join upload_pipeline.upload_jobs as j on j.document_id = d.document_id
    join upload_pipeline.artifacts as a on a.job_id = j.job_id
   where d.owner_id = (select auth.uid())
     and a.stored_at is not null;

  comment on view hookline_api.my_artifacts is
    'What the parser gave beside the markdown for the signed-in user''s own jobs, such as json: where each is '
    '(storage://<bucket>/<key>), with the SHA-256 of its bytes in hex.';

  alter view hookline_api.my_artifacts owner to hookline_owner;
  revoke all on hookline_api.my_artifacts from public;
  grant select on hookline_api.my_artifacts to authenticated;

  create or replace view hookline_api.artifacts with (security_invoker = true) as
  select o.job_id,
         o.document_id,
         o.owner_id,
         o.kind,
         o.name,
         o.attempt,
         o.path,
         o.sha256,
         o.bytes,
         o.stored_at
    from upload_pipeline.artifact_overview as o;

  comment on view hookline_api.artifacts is
    'upload_pipeline.artifact_overview for the backend: the artifacts of all owners.';

  alter view hookline_api.artifacts owner to hookline_owner;
  revoke all on hookline_api.artifacts from public;
  grant select on upload_pipeline.artifact_overview to service_role;
  grant select on hookline_api.artifacts to service_role;
end;
$$;
