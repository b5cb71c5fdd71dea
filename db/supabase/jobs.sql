do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  create or replace view hookline_api.jobs with (security_invoker = true) as
  select o.job_id,
         o.document_id,
         o.owner_id,
         o.filename,
         o.status,
         o.version,
         o.attempt,
         o.max_attempts,
         o.upload_confirmed,
         o.terminal,
         o.failed,
         o.has_content,
         o.overdue,
         o.run_after,
         o.deadline_at,
         o.leased_by,
         o.leased_until,
         o.correlation_id,
         o.provider,
         o.options,
         o.metadata,
         o.priority,
         o.group_id,
         o.parsed_path,
         o.parsed_sha256,
         o.parsed_bytes,
         o.last_error,
         o.created_at,
         o.updated_at,
         o.waits_because
    from upload_pipeline.job_overview as o;

  comment on view hookline_api.jobs is 'upload_pipeline.job_overview for the backend: the jobs of all owners.';

  alter view hookline_api.jobs owner to hookline_owner;
  revoke all on hookline_api.jobs from public;
  grant select on upload_pipeline.job_overview to service_role;
  grant execute on function upload_pipeline.clock(), upload_pipeline.in_utc(timestamptz) to service_role;
  grant select on hookline_api.jobs to service_role;
end;
$$;
