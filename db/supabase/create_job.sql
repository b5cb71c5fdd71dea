-- The owner is the signed-in user, and raw_path follows from owner and file. A caller who could choose raw_path could
-- have the file of another user parsed and read the result.
do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  -- `begin atomic` resolves auth.uid() now, with the rights of the installer, so hookline_owner needs no right on auth.
  create or replace function hookline_api.create_job(
    filename text,
    mime text,
    bytes_len bigint,
    file_sha256 text,
    metadata jsonb default '{}',
    priority integer default 0
  )
  returns table (outcome text, job_id uuid, document_id uuid, status text, raw_path text)
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select r.outcome, r.job_id, r.document_id, r.status, r.raw_path
      from upload_pipeline.create_users_job(
        owner_id => auth.uid(),
        filename => create_job.filename,
        mime => create_job.mime,
        bytes_len => create_job.bytes_len,
        file_sha256 => create_job.file_sha256,
        metadata => create_job.metadata,
        priority => create_job.priority
      ) as r;
  end;

  comment on function hookline_api.create_job(text, text, bigint, text, jsonb, integer) is
    'Creates a job for a file of the signed-in user. Upload the file to raw_path, storage://<bucket>/<key>; then the '
    'backend calls confirm_upload. If the file was uploaded before, the answer names its job: only the backend orders '
    'another run. The user may give metadata, and a priority among their own jobs. Outcomes: applied, duplicate. '
    'Raises UP006, UP009, UP011, UP020, UP021 (100 uploads are not confirmed).';

  alter function hookline_api.create_job(text, text, bigint, text, jsonb, integer) owner to hookline_owner;
  revoke all on function hookline_api.create_job(text, text, bigint, text, jsonb, integer) from public;
  grant execute on function hookline_api.create_job(text, text, bigint, text, jsonb, integer) to authenticated;
end;
$$;
