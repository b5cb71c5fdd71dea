-- Moves the job, writes its event, drops the bytes and updates the deliveries, in one transaction. Safe to repeat.
-- Locks: job, deletion, artifact, provider request, content, delivery.
-- Calls: clock, lock_job, move_job, receipt_of, resolve_step.
create or replace function upload_pipeline.finish_content(job_id uuid, ordinal integer)
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
  v_event upload_pipeline.events;
  v_outcome text;
begin
  select c.path, c.attempt, c.content_sha256, c.content_bytes, c.details, c.correlation_id, c.stored_at into v_content
    from upload_pipeline.contents as c
   where c.job_id = finish_content.job_id
     and c.ordinal = finish_content.ordinal
     and c.path is not null
     for no key update;
  if not found then
    raise exception 'job % has no content % to be stored', finish_content.job_id, finish_content.ordinal
      using errcode = 'UP001',
            detail = 'Only content that receive_content or accept_content answered with a path is stored.',
            hint = 'Pass the job_id and the ordinal of that answer.';
  end if;

  if v_content.stored_at is not null then
    return upload_pipeline.receipt_of('duplicate', v_job, ordinal => ordinal, path => v_content.path);
  end if;

  update upload_pipeline.contents as c
     set content = null,
         stored_at = upload_pipeline.clock()
   where c.job_id = finish_content.job_id
     and c.ordinal = finish_content.ordinal;

  if v_content.attempt >= v_job.attempt and not v_job.has_content then
    v_job.parsed_path := v_content.path;
    v_job.parsed_sha256 := v_content.content_sha256;
    v_job.parsed_bytes := v_content.content_bytes;
    v_job.last_error := null;
    v_event := upload_pipeline.move_job(
      job => v_job,
      step => upload_pipeline.resolve_step(v_job.status, 'parse_completed'),
      payload => v_content.details || jsonb_build_object(
        'parsed_path', v_content.path,
        'content_sha256', v_content.content_sha256,
        'bytes', v_content.content_bytes
      ),
      correlation_id => v_content.correlation_id
    );
  end if;

  v_outcome := case when v_event.event_id is null then 'stale' else 'applied' end;

  update upload_pipeline.webhook_deliveries as d
     set outcome = v_outcome
   where d.job_id = finish_content.job_id
     and d.content_ordinal = finish_content.ordinal
     and d.outcome in ('awaited', 'kept', 'unrecognised');

  return upload_pipeline.receipt_of(v_outcome, v_job, v_event, ordinal, v_content.path);
end;
$$;

comment on function upload_pipeline.finish_content(uuid, integer) is
  'Call it when the object of awaited or kept content is on disk. Outcomes: applied (the job is parsed), duplicate '
  '(it was finished before), stale (the job moved on in the meantime; the object stays until erase_document). Raises '
  'UP001; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.finish_content(uuid, integer) from public;
grant execute on function upload_pipeline.finish_content(uuid, integer) to hookline_ingest;
