-- Deletes the document with all rows that belong to it, and queues its objects for deletion.
-- Locks: document, job (all jobs of the document), raw path (advisory), deletion, content, delivery.
-- Calls: queue_deletion.
create or replace function upload_pipeline.erase_document(document_id uuid)
returns table (jobs bigint, objects bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_raw_path text;
begin
  select d.raw_path into v_raw_path
    from upload_pipeline.documents as d
   where d.document_id = erase_document.document_id
     for update;
  if not found then
    raise exception 'unknown document %', coalesce(erase_document.document_id::text, 'null')
      using errcode = 'UP001',
            detail = 'No row of upload_pipeline.documents has this document_id.',
            hint = 'Look it up in upload_pipeline.job_overview; it may have been erased already.';
  end if;

  select count(*) into jobs
    from (
      select j.job_id
        from upload_pipeline.upload_jobs as j
       where j.document_id = erase_document.document_id
         for update
    ) as locked;

  -- Two documents may share one raw file. Erased at the same time, each would leave the file to the other.
  perform pg_advisory_xact_lock(hashtextextended(v_raw_path, 1));

  select count(*) filter (where upload_pipeline.queue_deletion(p.path)) into objects
    from (
      select c.path
        from upload_pipeline.contents as c
        join upload_pipeline.upload_jobs as j on j.job_id = c.job_id
       where j.document_id = erase_document.document_id
         and c.path is not null
      union
      select unnest(d.purged_paths)
        from upload_pipeline.documents as d
       where d.document_id = erase_document.document_id
      union
      select v_raw_path
       where not exists (
         select
           from upload_pipeline.documents as d
          where d.raw_path = v_raw_path
            and d.document_id <> erase_document.document_id
       )
       order by 1
    ) as p;

  delete from upload_pipeline.documents as d
   where d.document_id = erase_document.document_id;

  return next;
end;
$$;

comment on function upload_pipeline.erase_document(uuid) is
  'Removes a document, its jobs, their histories, deliveries and kept content at once, whatever their status. '
  'Queues its objects for deletion from storage. A raw file outside storage:// is its uploader''s to delete. Raises '
  'UP001.';

revoke all on function upload_pipeline.erase_document(uuid) from public;
grant execute on function upload_pipeline.erase_document(uuid) to hookline_operator;
