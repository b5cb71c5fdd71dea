-- Replaces content of unknown shape by its markdown, as an operator has read it. From here on it is treated like all
-- content: kept, then stored and finished by the drain.
-- Locks: job, content, delivery.
-- Calls: content_still_wanted, drop_unrecognised_content, lock_job, receipt_of, record_action, write_content.
create or replace function upload_pipeline.accept_content(
  job_id uuid,
  ordinal integer,
  markdown bytea,
  reason text default null
)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(job_id);
  v_unrecognised upload_pipeline.contents;
  v_content upload_pipeline.contents;
begin
  if coalesce(octet_length(markdown), 0) = 0 then
    raise exception 'the markdown for content % of job % is empty', accept_content.ordinal, accept_content.job_id
      using errcode = 'UP008',
            detail = 'A parsed job has content of at least one byte.',
            hint = 'Pass convert_to(markdown, ''UTF8''), or call upload_pipeline.discard_content.';
  end if;

  v_unrecognised := upload_pipeline.drop_unrecognised_content(job_id, ordinal);
  if not upload_pipeline.content_still_wanted(v_job, v_unrecognised.attempt, null, null) then
    raise exception 'job % is % (attempt %) and cannot take content of attempt %',
      v_job.job_id, v_job.status, v_job.attempt, v_unrecognised.attempt
      using errcode = 'UP002',
            detail = 'The content would be stored, but the job would never use it. Nothing was changed.',
            hint = 'Call upload_pipeline.retry_job, or wait for the answer to the current attempt, or call '
              'upload_pipeline.discard_content.';
  end if;

  v_content := upload_pipeline.write_content(
    job => v_job,
    attempt => v_unrecognised.attempt,
    content => markdown,
    content_sha256 => encode(sha256(markdown), 'hex'),
    content_bytes => octet_length(markdown),
    recognised => true,
    details => v_unrecognised.details || jsonb_build_object('accepted_by', session_user),
    correlation_id => v_unrecognised.correlation_id
  );

  update upload_pipeline.webhook_deliveries as d
     set outcome = 'kept',
         content_ordinal = v_content.ordinal
   where d.job_id = accept_content.job_id
     and d.content_ordinal = accept_content.ordinal
     and d.outcome = 'unrecognised';

  perform upload_pipeline.record_action(
    'accept_content', accept_content.reason, id => accept_content.job_id,
    details => jsonb_build_object('ordinal', ordinal)
  );

  return upload_pipeline.receipt_of('kept', v_job, ordinal => v_content.ordinal, path => v_content.path);
end;
$$;

comment on function upload_pipeline.accept_content(uuid, integer, bytea, text) is
  'Decides on content of unknown shape: this is its markdown. The drain stores it, and the job becomes parsed. '
  'Outcome: kept. Raises UP001, UP002, UP008.';

revoke all on function upload_pipeline.accept_content(uuid, integer, bytea, text) from public;
grant execute on function upload_pipeline.accept_content(uuid, integer, bytea, text) to hookline_operator;
