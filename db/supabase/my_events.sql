do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  -- Without payload, because that holds internal texts of providers, operators and workers.
  create or replace view hookline_api.my_events with (security_invoker = true) as
  select e.job_id,
         e.version,
         e.document_id,
         e.ts,
         e.from_status,
         e.to_status,
         e.type,
         e.severity,
         e.code
    from upload_pipeline.documents as d
    join upload_pipeline.upload_jobs as j on j.document_id = d.document_id
    join upload_pipeline.events as e on e.job_id = j.job_id
   where d.owner_id = (select auth.uid());

  comment on view hookline_api.my_events is
    'The history of the signed-in user''s own jobs: one row for each step, ordered by (job_id, version).';

  alter view hookline_api.my_events owner to hookline_owner;
  revoke all on hookline_api.my_events from public;
  grant select on hookline_api.my_events to authenticated;
end;
$$;
