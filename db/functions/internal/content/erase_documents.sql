-- Deletes documents with all rows that belong to them, and queues the deletion of their objects, and of their provider
-- jobs at the providers. A raw file that another
-- document has is queued as well, because that document may be erased at the same time; claim_deletions drops the
-- path while a document needs it.
-- Locks: document, job (all jobs of the documents), deletion, artifact, provider request, content, delivery.
-- Calls: check_isolation, provider_of, queue_deletion, queue_requests_of_jobs.
create or replace function upload_pipeline.erase_documents(document_ids uuid[])
returns table (documents bigint, jobs bigint, objects bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job_ids uuid[];
begin
  perform upload_pipeline.check_isolation();

  perform
    from upload_pipeline.documents as d
   where d.document_id = any (document_ids)
   order by d.document_id
     for update;

  v_job_ids := array(
    select j.job_id
      from upload_pipeline.upload_jobs as j
     where j.document_id = any (document_ids)
     order by j.job_id
       for update
  );

  select count(*) filter (where upload_pipeline.queue_deletion(p.path) and not p.shared) into objects
    from (
      select c.path, false as shared
        from upload_pipeline.contents as c
       where c.job_id = any (v_job_ids)
         and c.path is not null
      union
      select a.path, false
        from upload_pipeline.artifacts as a
       where a.job_id = any (v_job_ids)
      union
      select unnest(d.purged_paths), false
        from upload_pipeline.documents as d
       where d.document_id = any (document_ids)
      union
      select d.raw_path,
             exists (
               select
                 from upload_pipeline.documents as o
                where o.raw_path = d.raw_path
                  and o.document_id <> all (document_ids)
             )
        from upload_pipeline.documents as d
       where d.document_id = any (document_ids)
       order by 1
    ) as p;

  perform upload_pipeline.queue_requests_of_jobs('delete', v_job_ids);

  -- Deliveries about their provider jobs that never found a job: parked ones, and ones that mean nothing here.
  delete from upload_pipeline.webhook_deliveries as d
   using (
     select w.source, w.delivery_id
       from upload_pipeline.provider_jobs as p
       join upload_pipeline.webhook_deliveries as w
         on w.parse_job_id = p.parse_job_id
        and upload_pipeline.provider_of(w.source) = p.provider
        and w.job_id is null
      where p.job_id = any (v_job_ids)
      order by w.first_seen, w.source, w.delivery_id
        for update of w
   ) as said
   where d.source = said.source
     and d.delivery_id = said.delivery_id;

  delete from upload_pipeline.documents as d
   where d.document_id = any (document_ids);
  get diagnostics documents = row_count;
  jobs := cardinality(v_job_ids);

  return next;
end;
$$;

comment on function upload_pipeline.erase_documents(uuid[]) is
  'Deletes documents with all that belongs to them, and queues the deletion of their objects from storage and of '
  'their provider jobs at the providers. objects does not count a raw file that another document has.';

revoke all on function upload_pipeline.erase_documents(uuid[]) from public;
