-- Takes one proven delivery with content, and gives out the path of its object. The job's status does not change here;
-- finish_content changes it once the object is written. If content is given, the bytes are safe in Postgres after the
-- commit, whatever storage does later. If it is null, only the caller has them.
-- Locks: provider job (advisory), document (if a report is parked), job, deletion, artifact, provider request, content,
-- delivery.
-- Calls: answered_attempt, apply_parked_reports, check_delivery_arguments, content_still_wanted, link_provider_job,
-- lock_answered_job, lock_provider_job, provider_of, receipt_of, record_delivery, touch_applied_delivery,
-- write_content.
create or replace function upload_pipeline.receive_content(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  job_id uuid,
  content bytea,
  content_sha256 text default null,
  content_bytes bigint default null,
  document_id uuid default null,
  parse_job_id text default null,
  attempt integer default null,
  details jsonb default '{}',
  correlation_id text default null,
  recognised boolean default true
)
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
  v_sha256 text := coalesce(encode(sha256(content), 'hex'), content_sha256);
  v_bytes bigint := coalesce(octet_length(content), content_bytes);
  v_receipt upload_pipeline.receipt;
  v_job upload_pipeline.upload_jobs;
  v_known record;
  v_recognised boolean;
  v_content upload_pipeline.contents;
  v_attempt integer;
  v_outcome text;
begin
  if v_bytes is null or v_bytes < 1
    or v_sha256 is null or v_sha256 !~ '^[0-9a-f]{64}$'
    or v_sha256 <> receive_content.content_sha256
    or v_bytes <> receive_content.content_bytes
    or content is null and recognised is false
  then
    raise exception 'the content for job % is empty or differs from what its sender declared', receive_content.job_id
      using errcode = 'UP008',
            detail = format('Received %s bytes, sha256 %s.', coalesce(v_bytes, 0), coalesce(v_sha256, 'none')),
            hint = 'Send the content as UTF-8, with the SHA-256 and the size of exactly these bytes. A caller that '
              'stores the content itself passes null as content, and hash and size.';
  end if;

  perform upload_pipeline.check_delivery_arguments(
    source, delivery_id, body_sha256, event_type, 'parse_completed', receive_content.job_id, parse_job_id, details,
    correlation_id, true, attempt
  );
  perform upload_pipeline.lock_provider_job(parse_job_id);
  v_job := upload_pipeline.lock_answered_job(
    job_id, document_id, upload_pipeline.provider_of(source), parse_job_id
  );

  v_receipt := upload_pipeline.touch_applied_delivery(
    source, delivery_id, body_sha256, v_job.job_id
  );
  if v_receipt.outcome is not null then
    return v_receipt;
  end if;

  select c.path, c.content is null as decided into v_known
    from upload_pipeline.contents as c
   where c.job_id = v_job.job_id
     and c.content_sha256 = v_sha256;
  -- Bytes that have a path are of known shape, whatever this delivery says about them.
  v_recognised := recognised is not false or v_known.path is not null;

  v_outcome := case
    when v_job.has_content and v_job.parsed_sha256 = v_sha256 then 'duplicate'
    when not v_recognised and v_known.decided then 'ignored'
    when not v_recognised then 'unrecognised'
    when upload_pipeline.content_still_wanted(
      v_job, attempt, upload_pipeline.provider_of(source), parse_job_id
    ) then 'kept'
    else 'stale'
  end;

  if v_outcome in ('kept', 'unrecognised') then
    v_attempt := coalesce(
      receive_content.attempt,
      upload_pipeline.answered_attempt(v_job, upload_pipeline.provider_of(source), parse_job_id),
      v_job.attempt
    );
    v_content := upload_pipeline.write_content(
      job => v_job,
      attempt => v_attempt,
      content => receive_content.content,
      content_sha256 => v_sha256,
      content_bytes => v_bytes,
      recognised => v_outcome = 'kept',
      details => receive_content.details,
      correlation_id => receive_content.correlation_id
    );
    if v_content.content is null then
      v_outcome := 'awaited';
    end if;
  end if;

  perform upload_pipeline.record_delivery(
    source, delivery_id, body_sha256, event_type, v_outcome, v_job.job_id, v_content.ordinal, parse_job_id,
    'parse_completed', details, correlation_id
  );

  if v_content.ordinal is not null then
    perform upload_pipeline.link_provider_job(
      upload_pipeline.provider_of(source), parse_job_id, v_job.job_id, v_attempt
    );
    perform upload_pipeline.apply_parked_reports(
      upload_pipeline.provider_of(source), parse_job_id, v_job.job_id
    );
  end if;

  return upload_pipeline.receipt_of(v_outcome, v_job, ordinal => v_content.ordinal, path => v_content.path);
end;
$$;

comment on function upload_pipeline.receive_content(
  text, text, text, text, uuid, bytea, text, bigint, uuid, text, integer, jsonb, text, boolean
) is
  'Takes a proven delivery that carries content. content_sha256 and content_bytes are the sender''s claims and are '
  'checked if given. content is null if the caller has checked them and stores the content itself. attempt is for '
  'senders that prove it; it then overrides the attempt recorded for parse_job_id. details becomes part of the '
  'parse_completed event. recognised => false keeps bytes of unknown shape for an operator. Outcomes: awaited (write '
  'the object at path, then call finish_content; if that fails, call keep_content), kept (the same, but the bytes '
  'are safe here and the drain finishes it), unrecognised (an operator decides), ignored (an operator has decided on '
  'these bytes before), duplicate, stale. Raises UP001, UP004, UP006, UP007, UP008; 55P03 after waiting 2 s for a '
  'lock.';

revoke all on function upload_pipeline.receive_content(
  text, text, text, text, uuid, bytea, text, bigint, uuid, text, integer, jsonb, text, boolean
) from public;
grant execute on function upload_pipeline.receive_content(
  text, text, text, text, uuid, bytea, text, bigint, uuid, text, integer, jsonb, text, boolean
) to hookline_ingest;
