-- The views of hookline_api read the tables with the rights of their caller, who needs these grants. A signed-in user
-- cannot name the tables without usage of upload_pipeline. If that is granted by mistake, these policies still hold.
do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  grant select (document_id, owner_id, filename, mime, bytes_len)
    on upload_pipeline.documents to authenticated;
  grant select (
    job_id, document_id, status, version, terminal, failed, has_content, attempt, last_error, parsed_path,
    parsed_sha256, metadata, priority, created_at, updated_at
  ) on upload_pipeline.upload_jobs to authenticated;
  grant select (job_id, kind, name, path, sha256, bytes, stored_at) on upload_pipeline.artifacts to authenticated;
  grant select (job_id, version, document_id, from_status, to_status, type, severity, code, ts)
    on upload_pipeline.events to authenticated;

  -- Dropped first, so that a policy that was changed or lost comes back. `(select auth.uid())` is computed once for
  -- each statement, not once for each row.
  drop policy if exists owner_sees_own_documents on upload_pipeline.documents;
  drop policy if exists owner_sees_own_jobs on upload_pipeline.upload_jobs;
  drop policy if exists owner_sees_own_events on upload_pipeline.events;
  drop policy if exists owner_sees_own_artifacts on upload_pipeline.artifacts;

  create policy owner_sees_own_documents on upload_pipeline.documents
    for select
    to authenticated
    using (owner_id = (select auth.uid()));

  create policy owner_sees_own_jobs on upload_pipeline.upload_jobs
    for select
    to authenticated
    using (exists (
      select
        from upload_pipeline.documents as d
       where d.document_id = upload_jobs.document_id
         and d.owner_id = (select auth.uid())
    ));

  create policy owner_sees_own_artifacts on upload_pipeline.artifacts
    for select
    to authenticated
    using (exists (
      select
        from upload_pipeline.upload_jobs as j
        join upload_pipeline.documents as d on d.document_id = j.document_id
       where j.job_id = artifacts.job_id
         and d.owner_id = (select auth.uid())
    ));

  create policy owner_sees_own_events on upload_pipeline.events
    for select
    to authenticated
    using (exists (
      select
        from upload_pipeline.documents as d
       where d.document_id = events.document_id
         and d.owner_id = (select auth.uid())
    ));
end;
$$;
