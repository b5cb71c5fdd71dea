-- Writes one row of artifacts for each, before its object is written, and drops those of an earlier attempt. The path
-- contains a hash of name and content, so it belongs to one exact content. An artifact that comes again with other
-- content gets another path, and the object before is queued for deletion. If the first content comes back, its path
-- leaves the queue again. The lease fences: a worker of an earlier attempt is refused.
-- Locks: job, raw path (advisory), deletion, artifact. Calls: cancel_deletion, clock, lock_leased_job, queue_deletion.
create or replace function upload_pipeline.receive_artifacts(job_id uuid, lease_token uuid, artifacts jsonb)
returns table (kind text, name text, path text, stored boolean)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_leased_job(
    receive_artifacts.job_id, receive_artifacts.lease_token
  );
  v_given upload_pipeline.artifacts[];
begin
  if jsonb_typeof(receive_artifacts.artifacts) is distinct from 'array' or exists (
    select
      from jsonb_to_recordset(receive_artifacts.artifacts)
        as n (kind text, name text, sha256 text, bytes bigint, extension text)
     where (
         n.kind ~ '^[a-z][a-z0-9_]{0,29}$' and length(n.name) <= 200 and n.sha256 ~ '^[0-9a-f]{64}$'
         and n.bytes > 0 and n.extension ~ '^[a-z0-9]{1,5}$'
       ) is not true
  ) or (
    select count(*)
      from (
        select a.kind, a.name from upload_pipeline.artifacts as a where a.job_id = v_job.job_id
        union
        select n.kind, n.name from jsonb_to_recordset(receive_artifacts.artifacts) as n (kind text, name text)
      ) as all_of_the_job
  ) > 1000 then
    raise exception 'job % cannot have these artifacts', v_job.job_id
      using errcode = 'UP006',
            detail = 'artifacts is an array of objects with kind (a word), name (at most 200 characters), sha256 (in '
              'hex), bytes (more than 0) and extension (1 to 5 letters or digits). A job has 1,000 at most.',
            hint = 'For example: [{"kind": "text", "name": "", "sha256": "...", "bytes": 12, "extension": "txt"}].';
  end if;

  v_given := array(
    select row(
             v_job.job_id, n.kind, n.name, v_job.attempt, n.sha256, n.bytes,
             format(
               'storage://parsed/%s/%s.%s.%s.%s.%s', v_job.document_id, v_job.job_id, v_job.attempt, n.kind,
               encode(sha256(convert_to(n.name || ' ' || n.sha256, 'UTF8')), 'hex'), n.extension
             ),
             upload_pipeline.clock(), null
           )::upload_pipeline.artifacts
      from jsonb_to_recordset(receive_artifacts.artifacts)
        as n (kind text, name text, sha256 text, bytes bigint, extension text)
     order by n.kind, n.name
  );

  perform upload_pipeline.cancel_deletion(again.path)
     from (
       select d.path
         from unnest(v_given) as n
         join upload_pipeline.deletions as d on d.path = n.path
        order by d.path
     ) as again;

  perform upload_pipeline.queue_deletion(old.path)
     from (
       select a.path
         from upload_pipeline.artifacts as a
         left join unnest(v_given) as n
           on n.kind = a.kind
          and n.name = a.name
        where a.job_id = v_job.job_id
          and (a.attempt <> v_job.attempt or a.path <> n.path)
        order by a.path
     ) as old;

  delete from upload_pipeline.artifacts as a
   where a.job_id = v_job.job_id
     and a.attempt <> v_job.attempt;

  return query
  insert into upload_pipeline.artifacts as a (job_id, kind, name, attempt, sha256, bytes, path, recorded_at)
  select n.job_id, n.kind, n.name, n.attempt, n.sha256, n.bytes, n.path, n.recorded_at
    from unnest(v_given) as n
  on conflict on constraint artifacts_pkey do update
     set sha256 = excluded.sha256,
         bytes = excluded.bytes,
         path = excluded.path,
         recorded_at = excluded.recorded_at,
         stored_at = case when a.path = excluded.path then a.stored_at end
  returning a.kind, a.name, a.path::text, a.stored_at is not null;
end;
$$;

comment on function upload_pipeline.receive_artifacts(uuid, uuid, jsonb) is
  'Records artifacts of a leased job, drops those of its earlier attempts, and answers the path of each. Write the '
  'object of each that is not stored, then call finish_artifacts. artifacts is an array of {kind, name, sha256, '
  'bytes, extension}. Raises UP001, UP003, UP006, UP020 (the object at such a path is being deleted: call again in a '
  'minute); 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.receive_artifacts(uuid, uuid, jsonb) from public;
grant execute on function upload_pipeline.receive_artifacts(uuid, uuid, jsonb) to hookline_worker;
