-- The owner is who is signed in, and the raw file's place follows from owner and file: a caller who could name it
-- would have another's file parsed and read the result.
do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  -- A body of parsed statements: auth.uid() is found now, by the installer, and needs no right of hookline_owner.
  create or replace function hookline_api.create_job(filename text, mime text, bytes_len bigint, file_sha256 text)
  returns table (outcome text, job_id uuid, document_id uuid, status text, raw_path text)
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  begin atomic
    select r.outcome::text, r.job_id, r.document_id, r.status, p.raw_path
      from (
        select coalesce(
                 -- Known already: it stays where it is. The backend may be about to confirm it there.
                 (select d.raw_path
                    from upload_pipeline.documents as d
                   where d.owner_id = auth.uid()
                     and d.file_sha256 = create_job.file_sha256),
                 format('storage://raw/%s/%s', auth.uid(), create_job.file_sha256)
               ) as raw_path
      ) as p
      cross join lateral upload_pipeline.create_job(
        owner_id => auth.uid(),
        filename => create_job.filename,
        mime => create_job.mime,
        bytes_len => create_job.bytes_len,
        file_sha256 => create_job.file_sha256,
        raw_path => p.raw_path
      ) as r;
  end;

  comment on function hookline_api.create_job(text, text, bigint, text) is
    'A job for a file of the signed-in user. Upload the file to raw_path, storage://<bucket>/<key>; the backend '
    'then calls confirm_upload. The same file again answers its unfinished job. Outcomes: applied, duplicate. '
    'Raises UP006.';

  alter function hookline_api.create_job(text, text, bigint, text) owner to hookline_owner;
  revoke all on function hookline_api.create_job(text, text, bigint, text) from public;
  grant execute on function hookline_api.create_job(text, text, bigint, text) to authenticated;
end;
$$;
