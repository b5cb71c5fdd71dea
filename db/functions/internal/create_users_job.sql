-- Writes what create_job writes, within the bounds of a user: one job for each file that is uploaded, and a number of
-- uploads that are not confirmed. Only the backend may order what costs more.
-- Locks: uploads of the owner (advisory), document, raw path (advisory), deletion, group. Calls: create_job.
create or replace function upload_pipeline.create_users_job(
  owner_id uuid,
  filename text,
  mime text,
  bytes_len bigint,
  file_sha256 text,
  metadata jsonb,
  priority integer
)
returns table (outcome text, job_id uuid, document_id uuid, status text, raw_path text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_most constant integer := 100;
  v_known record;
  v_receipt upload_pipeline.receipt;
begin
  -- The newest job of a file whose upload was confirmed before.
  select d.raw_path, j.job_id, j.document_id, j.status into v_known
    from upload_pipeline.documents as d
    left join upload_pipeline.upload_jobs as j on j.document_id = d.document_id and d.upload_confirmed
   where d.owner_id = create_users_job.owner_id
     and d.file_sha256 = create_users_job.file_sha256
   order by j.job_id desc nulls last
   limit 1;
  if v_known.job_id is not null then
    return query select 'duplicate', v_known.job_id, v_known.document_id, v_known.status, v_known.raw_path;
    return;
  end if;

  -- Two calls at the same time would each count without the other.
  perform pg_advisory_xact_lock(hashtextextended(create_users_job.owner_id::text, 2));
  -- A known file stays where it is, because the backend may be about to confirm it there.
  raw_path := coalesce(
    v_known.raw_path, format('storage://raw/%s/%s', create_users_job.owner_id, create_users_job.file_sha256)
  );
  v_receipt := upload_pipeline.create_job(
    owner_id => create_users_job.owner_id, filename => create_users_job.filename, mime => create_users_job.mime,
    bytes_len => create_users_job.bytes_len, file_sha256 => create_users_job.file_sha256, raw_path => raw_path,
    metadata => create_users_job.metadata, priority => create_users_job.priority
  );

  if v_receipt.outcome = 'applied' and (
    select count(*)
      from (
        select
          from upload_pipeline.documents as d
          join upload_pipeline.upload_jobs as j on j.document_id = d.document_id and not j.terminal
         where d.owner_id = create_users_job.owner_id
           and not d.upload_confirmed
         limit v_most + 1
      ) as begun
  ) > v_most then
    raise exception 'owner % has begun % uploads that are not confirmed', create_users_job.owner_id, v_most
      using errcode = 'UP021',
            detail = 'That is the most that a user may have. Nothing was changed.',
            hint = 'Upload files that were announced before, and have the backend call confirm_upload. '
              'upload_pipeline.purge removes announced uploads that are never confirmed.';
  end if;

  return query select v_receipt.outcome::text, v_receipt.job_id, v_receipt.document_id, v_receipt.status, raw_path;
end;
$$;

comment on function upload_pipeline.create_users_job(uuid, text, text, bigint, text, jsonb, integer) is
  'Calls create_job for a user, with a raw_path that follows from the owner and the file. A file that was uploaded '
  'before and has a job is a duplicate, whatever the status of that job. Raises UP006, UP020, UP021.';

revoke all on function upload_pipeline.create_users_job(uuid, text, text, bigint, text, jsonb, integer) from public;
