-- Keeps the bytes of awaited content in Postgres, because storage failed. Safe to repeat. Also works after the drain
-- has abandoned the content.
-- Locks: job, content, delivery. Calls: clock, lock_job, receipt_of.
create or replace function upload_pipeline.keep_content(job_id uuid, ordinal integer, content bytea)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(job_id);
  v_content record;
begin
  select c.path, c.content_sha256, c.stored_at into v_content
    from upload_pipeline.contents as c
   where c.job_id = keep_content.job_id
     and c.ordinal = keep_content.ordinal
     and c.path is not null
     for no key update;
  if not found then
    raise exception 'job % has no content % to be stored', keep_content.job_id, keep_content.ordinal
      using errcode = 'UP001',
            detail = 'Only content that receive_content answered with a path is kept.',
            hint = 'Pass the job_id and the ordinal of that answer.';
  end if;

  if encode(sha256(keep_content.content), 'hex') is distinct from v_content.content_sha256 then
    raise exception 'these are not the bytes of content % of job %', keep_content.ordinal, keep_content.job_id
      using errcode = 'UP008',
            detail = format('Content %s has the sha256 %s.', keep_content.ordinal, v_content.content_sha256),
            hint = 'Pass the bytes whose hash was given to receive_content.';
  end if;

  if v_content.stored_at is not null then
    return upload_pipeline.receipt_of('duplicate', v_job, ordinal => ordinal, path => v_content.path);
  end if;

  update upload_pipeline.contents as c
     set content = keep_content.content,
         run_after = least(c.run_after, upload_pipeline.clock() + interval '30 seconds')
   where c.job_id = keep_content.job_id
     and c.ordinal = keep_content.ordinal;

  update upload_pipeline.webhook_deliveries as d
     set outcome = 'kept'
   where d.job_id = keep_content.job_id
     and d.content_ordinal = keep_content.ordinal
     and d.outcome = 'awaited';

  return upload_pipeline.receipt_of('kept', v_job, ordinal => ordinal, path => v_content.path);
end;
$$;

comment on function upload_pipeline.keep_content(uuid, integer, bytea) is
  'Call it when the object of awaited content could not be written: Postgres keeps the bytes, and the drain writes '
  'the object. Outcomes: kept, duplicate (another writer has finished it). Raises UP001, UP008; 55P03 after waiting '
  '2 s for a lock.';

revoke all on function upload_pipeline.keep_content(uuid, integer, bytea) from public;
grant execute on function upload_pipeline.keep_content(uuid, integer, bytea) to hookline_ingest;
