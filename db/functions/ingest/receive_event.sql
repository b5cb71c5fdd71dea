-- Takes one proven delivery without content: counts it once, moves its job and writes the event, in one transaction.
-- Locks: provider job (advisory), document (if a report is parked), job, delivery.
-- Calls: apply_parked_reports, apply_report, check_delivery_arguments, link_provider_job, lock_answered_job,
-- lock_provider_job, receipt_of, record_delivery, touch_applied_delivery.
create or replace function upload_pipeline.receive_event(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  code text default null,
  job_id uuid default null,
  document_id uuid default null,
  parse_job_id text default null,
  payload jsonb default '{}',
  correlation_id text default null
)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_receipt upload_pipeline.receipt;
  v_job_id uuid := receive_event.job_id;
  v_job upload_pipeline.upload_jobs;
  v_event upload_pipeline.events;
  v_outcome text;
begin
  perform upload_pipeline.check_delivery_arguments(
    source, delivery_id, body_sha256, event_type, code, v_job_id, parse_job_id, payload, correlation_id, false
  );
  perform upload_pipeline.lock_provider_job(parse_job_id);

  if v_job_id is null and code is not null then
    -- The lookup locks the job. If the job is purged or erased at the same time, the lookup finds nothing and the
    -- delivery is parked, as if the job had never been known.
    select j.job_id into v_job_id
      from upload_pipeline.provider_jobs as p
      join upload_pipeline.upload_jobs as j on j.job_id = p.job_id
     where p.parse_job_id = receive_event.parse_job_id
       for no key update of j;
  end if;

  if code is null then
    v_outcome := 'ignored';
  elsif v_job_id is null then
    -- An operator may have said that this provider job is none of ours (settle_parked).
    v_outcome := case
      when exists (
        select
          from upload_pipeline.webhook_deliveries as d
         where d.parse_job_id = receive_event.parse_job_id
           and d.job_id is null
           and d.outcome = 'ignored'
           and d.code is not null
      ) then 'ignored'
      else 'parked'
    end;
  else
    v_job := upload_pipeline.lock_answered_job(v_job_id, document_id, parse_job_id);

    v_receipt := upload_pipeline.touch_applied_delivery(
      source, delivery_id, body_sha256, event_type, v_job.job_id, parse_job_id, false
    );
    if v_receipt.outcome is not null then
      return v_receipt;
    end if;

    v_event := upload_pipeline.apply_report(v_job, code, parse_job_id, payload, correlation_id);
    v_outcome := case when v_event.event_id is null then 'stale' else 'applied' end;
  end if;

  perform upload_pipeline.record_delivery(
    source, delivery_id, body_sha256, event_type, v_outcome, v_job.job_id, null, parse_job_id, code, payload,
    correlation_id
  );

  if v_outcome = 'applied' then
    perform upload_pipeline.link_provider_job(parse_job_id, v_job.job_id, v_job.attempt);
    perform upload_pipeline.apply_parked_reports(parse_job_id, v_job.job_id);
  end if;

  return upload_pipeline.receipt_of(v_outcome, v_job, v_event);
end;
$$;

comment on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text
) is
  'Takes a proven delivery that carries no content: a provider''s notification, or an envelope that reports a '
  'failure. code is its meaning, a row of event_codes; null: it means nothing here. The job is named by job_id or '
  'found by parse_job_id. Outcomes: applied, duplicate, stale, ignored (code is null), parked (the provider job is '
  'not known yet). Raises UP001, UP004, UP006, UP007; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text
) from public;
grant execute on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text
) to hookline_ingest;
