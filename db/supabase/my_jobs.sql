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
         j.created_at,
         j.updated_at
    from upload_pipeline.documents as d
    join upload_pipeline.upload_jobs as j on j.document_id = d.document_id
   where d.owner_id = (select auth.uid());

  comment on view hookline_api.my_jobs is
    'The jobs of the signed-in user''s own documents: the status of each, since when, and the code of its last '
    'failure.';

  alter view hookline_api.my_jobs owner to hookline_owner;
  revoke all on hookline_api.my_jobs from public;
  grant select on hookline_api.my_jobs to authenticated;
end;
$$;
