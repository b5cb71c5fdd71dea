-- Writes one row of contents. A path is given out once, to one exact content of a job. The same content again gets the
-- same row and the same path. run_after leaves the receiver 30 seconds for its own write before the drain tries. Bytes
-- that are in Postgres stay, also if the same content comes again without bytes.
-- Locks: content. Calls: clock.
create or replace function upload_pipeline.write_content(
  job upload_pipeline.upload_jobs,
  attempt integer,
  content bytea,
  content_sha256 text,
  content_bytes bigint,
  recognised boolean,
  details jsonb,
  correlation_id text
)
returns upload_pipeline.contents
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := upload_pipeline.clock();
  v_ordinal integer;
  v_number integer;
  v_content upload_pipeline.contents;
begin
  select coalesce(max(c.ordinal), 0) + 1, count(c.path) + 1 into v_ordinal, v_number
    from upload_pipeline.contents as c
   where c.job_id = job.job_id;

  insert into upload_pipeline.contents as c (
    job_id, ordinal, attempt, content_sha256, content_bytes, content, path, details, correlation_id,
    received_at, run_after
  ) values (
    job.job_id, v_ordinal, write_content.attempt, write_content.content_sha256,
    write_content.content_bytes, write_content.content,
    case when write_content.recognised then
      format(
        'storage://parsed/%s/%s%s.md',
        job.document_id,
        job.job_id,
        case when v_number > 1 then '.' || v_number::text else '' end
      )
    end,
    write_content.details, coalesce(write_content.correlation_id, job.correlation_id),
    v_now, v_now + interval '30 seconds'
  )
  on conflict on constraint one_row_a_content do update
     set attempt = greatest(c.attempt, excluded.attempt),
         content = coalesce(excluded.content, c.content),
         path = coalesce(c.path, excluded.path),
         details = excluded.details,
         correlation_id = excluded.correlation_id,
         run_after = excluded.run_after,
         -- Without bytes here it has a new writer, which no claim has found to be gone yet (abandon_content).
         tries = case when coalesce(excluded.content, c.content) is null then 0 else c.tries end,
         stored_at = null
  returning * into v_content;

  return v_content;
end;
$$;

comment on function upload_pipeline.write_content(
  upload_pipeline.upload_jobs, integer, bytea, text, bigint, boolean, jsonb, text
) is
  'Writes content of a locked job and chooses its path in storage. content is null if only the caller has the bytes. '
  'Content of unknown shape gets no path.';

revoke all on function upload_pipeline.write_content(
  upload_pipeline.upload_jobs, integer, bytea, text, bigint, boolean, jsonb, text
) from public;
