-- Deletes the artifacts of a job, and queues their objects for deletion. The caller has locked the job.
-- Locks: deletion, artifact. Calls: queue_deletion.
create or replace function upload_pipeline.drop_artifacts(job_id uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform upload_pipeline.queue_deletion(a.path)
     from (
       select d.path
         from upload_pipeline.artifacts as d
        where d.job_id = drop_artifacts.job_id
        order by d.path
     ) as a;

  delete from upload_pipeline.artifacts as a
   where a.job_id = drop_artifacts.job_id;
end;
$$;

comment on function upload_pipeline.drop_artifacts(uuid) is
  'Drops the artifacts of an attempt that is over, and queues the deletion of their objects.';

revoke all on function upload_pipeline.drop_artifacts(uuid) from public;
