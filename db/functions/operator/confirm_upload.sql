-- Sets upload_confirmed of the document, which foreign keys copy into its jobs, and moves the job.
-- Locks: document, job (all jobs of the document), deletion, artifact, provider request.
-- Calls: lock_job, move_job, receipt_of, resolve_step.
create or replace function upload_pipeline.confirm_upload(job_id uuid, bytes_len bigint, file_sha256 text)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_document record;
  v_job upload_pipeline.upload_jobs;
  v_event upload_pipeline.events;
begin
  select d.document_id, d.bytes_len, d.file_sha256, d.upload_confirmed into v_document
    from upload_pipeline.documents as d
   where d.document_id = (
     select j.document_id from upload_pipeline.upload_jobs as j where j.job_id = confirm_upload.job_id
   )
     for update;
  -- All jobs of the document are locked before one is written. Otherwise a retry of an older job could wait for the
  -- new row of a newer one, and this function for that retry.
  perform
    from upload_pipeline.upload_jobs as j
   where j.document_id = v_document.document_id
     for no key update;
  v_job := upload_pipeline.lock_job(job_id);

  if v_document.bytes_len is distinct from confirm_upload.bytes_len
    or v_document.file_sha256 is distinct from confirm_upload.file_sha256
  then
    raise exception 'the uploaded file of job % is not the one that the job was made for', v_job.job_id
      using errcode = 'UP004',
            detail = format(
              'Expected %s bytes, sha256 %s; found %s bytes, sha256 %s.',
              v_document.bytes_len, v_document.file_sha256,
              coalesce(confirm_upload.bytes_len::text, 'null'), coalesce(confirm_upload.file_sha256, 'null')
            ),
            hint = 'Upload the file again, or cancel the job with upload_pipeline.cancel_job and create one for the '
              'file that is there.';
  end if;

  if v_document.upload_confirmed then
    return upload_pipeline.receipt_of('duplicate', v_job);
  end if;

  update upload_pipeline.documents as d
     set upload_confirmed = true
   where d.document_id = v_document.document_id;

  v_event := upload_pipeline.move_job(
    job => v_job,
    step => upload_pipeline.resolve_step(v_job.status, 'upload_confirmed'),
    payload => jsonb_build_object('bytes_len', v_document.bytes_len, 'file_sha256', v_document.file_sha256)
  );

  -- Only a hint: idle workers would find the job at their next poll.
  perform pg_notify('hookline', coalesce(v_event.to_status, v_job.status));

  return upload_pipeline.receipt_of(
    case when v_event.event_id is null then 'stale' else 'applied' end, v_job, v_event
  );
end;
$$;

comment on function upload_pipeline.confirm_upload(uuid, bigint, text) is
  'Says that the raw file is at its raw_path, with this size and hash. From now on the jobs of the document may be '
  'claimed. Outcomes: applied, duplicate (confirmed before), stale (confirmed now, but the job had moved on). '
  'Raises UP001, UP004.';

revoke all on function upload_pipeline.confirm_upload(uuid, bigint, text) from public;
grant execute on function upload_pipeline.confirm_upload(uuid, bigint, text) to hookline_operator;
