create or replace view upload_pipeline.stored_objects as
select c.path,
       c.job_id,
       c.content_bytes as bytes,
       c.content_sha256 as sha256,
       c.stored_at is not null as stored
  from upload_pipeline.contents as c
 where c.path is not null
union all
select a.path, a.job_id, a.bytes, a.sha256, a.stored_at is not null
  from upload_pipeline.artifacts as a
union all
select p.path, null, null, null, true
  from upload_pipeline.documents as d
  cross join lateral unnest(d.purged_paths) as p (path)
union all
select e.path, null, null, null, false
  from upload_pipeline.deletions as e
 where e.path like 'storage://parsed/%';

comment on view upload_pipeline.stored_objects is
  'One row for each object of parsed content that may be in storage, markdown or artifact: of a job, of a purged job '
  '(bytes and sha256 are null, and so is job_id), or still to be deleted. stored is true if the object must be there. '
  'An object in storage without a row here is an orphan.';

revoke all on upload_pipeline.stored_objects from public;
grant select on upload_pipeline.stored_objects to hookline_reader;
