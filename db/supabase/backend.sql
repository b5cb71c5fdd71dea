-- What service_role, the trusted backend, may do through PostgREST. Each function here runs as its caller and calls the
-- function of the same name in upload_pipeline. service_role itself has no usage of that schema.
do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  create or replace function hookline_api.create_job(
    owner_id uuid,
    filename text,
    mime text,
    bytes_len bigint,
    file_sha256 text,
    raw_path text,
    correlation_id text default null,
    options jsonb default '{}',
    metadata jsonb default '{}',
    priority integer default 0,
    not_before timestamptz default null,
    provider text default null,
    group_id uuid default null
  )
  returns upload_pipeline.receipt
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select upload_pipeline.create_job(
      owner_id => create_job.owner_id, filename => create_job.filename, mime => create_job.mime,
      bytes_len => create_job.bytes_len, file_sha256 => create_job.file_sha256, raw_path => create_job.raw_path,
      correlation_id => create_job.correlation_id, options => create_job.options, metadata => create_job.metadata,
      priority => create_job.priority, not_before => create_job.not_before, provider => create_job.provider,
      group_id => create_job.group_id
    );
  end;

  create or replace function hookline_api.confirm_upload(job_id uuid, bytes_len bigint, file_sha256 text)
  returns upload_pipeline.receipt
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select upload_pipeline.confirm_upload(
      job_id => confirm_upload.job_id, bytes_len => confirm_upload.bytes_len,
      file_sha256 => confirm_upload.file_sha256
    );
  end;

  create or replace function hookline_api.retry_job(job_id uuid, reason text default null, provider text default null)
  returns upload_pipeline.receipt
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select upload_pipeline.retry_job(
      job_id => retry_job.job_id, reason => retry_job.reason, provider => retry_job.provider
    );
  end;

  create or replace function hookline_api.cancel_job(job_id uuid, reason text default null)
  returns upload_pipeline.receipt
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select upload_pipeline.cancel_job(job_id => cancel_job.job_id, reason => cancel_job.reason);
  end;

  create or replace function hookline_api.close_group(group_id uuid)
  returns bigint
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select upload_pipeline.close_group(group_id => close_group.group_id);
  end;

  create or replace function hookline_api.erase_document(document_id uuid, reason text default null)
  returns table (jobs bigint, objects bigint)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select e.jobs, e.objects
      from upload_pipeline.erase_document(
        document_id => erase_document.document_id, reason => erase_document.reason
      ) as e;
  end;

  create or replace function hookline_api.erase_owner(owner_id uuid, reason text default null)
  returns table (documents bigint, jobs bigint, objects bigint)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
  begin atomic
    select e.documents, e.jobs, e.objects
      from upload_pipeline.erase_owner(
        owner_id => erase_owner.owner_id, reason => erase_owner.reason
      ) as e;
  end;

  comment on function hookline_api.create_job(
    uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
  ) is
    'upload_pipeline.create_job for the backend: creates a job for a file of any owner.';
  comment on function hookline_api.confirm_upload(uuid, bigint, text) is
    'upload_pipeline.confirm_upload for the backend.';
  comment on function hookline_api.retry_job(uuid, text, text) is 'upload_pipeline.retry_job for the backend.';
  comment on function hookline_api.cancel_job(uuid, text) is 'upload_pipeline.cancel_job for the backend.';
  comment on function hookline_api.close_group(uuid) is 'upload_pipeline.close_group for the backend.';
  comment on function hookline_api.erase_document(uuid, text) is 'upload_pipeline.erase_document for the backend.';
  comment on function hookline_api.erase_owner(uuid, text) is 'upload_pipeline.erase_owner for the backend.';

  alter function hookline_api.create_job(
    uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
  ) owner to hookline_owner;
  alter function hookline_api.confirm_upload(uuid, bigint, text) owner to hookline_owner;
  alter function hookline_api.retry_job(uuid, text, text) owner to hookline_owner;
  alter function hookline_api.cancel_job(uuid, text) owner to hookline_owner;
  alter function hookline_api.close_group(uuid) owner to hookline_owner;
  alter function hookline_api.erase_document(uuid, text) owner to hookline_owner;
  alter function hookline_api.erase_owner(uuid, text) owner to hookline_owner;

  revoke all on function
    hookline_api.create_job(
      uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
    ),
    hookline_api.confirm_upload(uuid, bigint, text),
    hookline_api.retry_job(uuid, text, text),
    hookline_api.cancel_job(uuid, text),
    hookline_api.close_group(uuid),
    hookline_api.erase_document(uuid, text),
    hookline_api.erase_owner(uuid, text)
    from public;
  grant execute on function
    upload_pipeline.create_job(
      uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
    ),
    upload_pipeline.confirm_upload(uuid, bigint, text),
    upload_pipeline.retry_job(uuid, text, text),
    upload_pipeline.cancel_job(uuid, text),
    upload_pipeline.close_group(uuid),
    upload_pipeline.erase_document(uuid, text),
    upload_pipeline.erase_owner(uuid, text),
    hookline_api.create_job(
      uuid, text, text, bigint, text, text, text, jsonb, jsonb, integer, timestamptz, text, uuid
    ),
    hookline_api.confirm_upload(uuid, bigint, text),
    hookline_api.retry_job(uuid, text, text),
    hookline_api.cancel_job(uuid, text),
    hookline_api.close_group(uuid),
    hookline_api.erase_document(uuid, text),
    hookline_api.erase_owner(uuid, text)
    to service_role;
end;
$$;
