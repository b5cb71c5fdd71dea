-- Deletes the document with all rows that belong to it, and queues the deletion of its objects and provider jobs.
-- Locks: document, job (all jobs of the document), deletion, artifact, provider request, content, delivery.
-- Calls: erase_documents, record_action.
create or replace function upload_pipeline.erase_document(document_id uuid, reason text default null)
returns table (jobs bigint, objects bigint)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_documents bigint;
begin
  select e.documents, e.jobs, e.objects into v_documents, jobs, objects
    from upload_pipeline.erase_documents(array[erase_document.document_id]) as e;
  if v_documents = 0 then
    raise exception 'unknown document %', coalesce(erase_document.document_id::text, 'null')
      using errcode = 'UP001',
            detail = 'No row of upload_pipeline.documents has this document_id.',
            hint = 'Look it up in upload_pipeline.document_overview; it may have been erased already.';
  end if;

  perform upload_pipeline.record_action(
    'erase_document', erase_document.reason, id => erase_document.document_id,
    details => jsonb_build_object('jobs', jobs, 'objects', objects)
  );

  return next;
end;
$$;

comment on function upload_pipeline.erase_document(uuid, text) is
  'Removes a document, its jobs, their histories, deliveries and kept content at once, whatever their status. '
  'Queues the deletion of its objects from storage, and of its jobs, file and results at the provider. A raw file '
  'outside storage:// is its uploader''s to delete. Raises UP001, UP006.';

revoke all on function upload_pipeline.erase_document(uuid, text) from public;
grant execute on function upload_pipeline.erase_document(uuid, text) to hookline_operator;
