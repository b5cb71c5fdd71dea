-- Takes one proven delivery without content: counts it once, moves its job and writes the event, in one transaction.
-- It waits for its locks, and then does what receive_events does.
-- Locks: provider job (advisory), document (if a report is parked), job, deletion, artifact, provider request,
-- delivery.
-- Calls: lock_provider_job, provider_of, refuse_delivery, take_deliveries.
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
  correlation_id text default null,
  attempt integer default null
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
  v_delivery upload_pipeline.delivery := row(
    source, delivery_id, body_sha256, event_type, code, job_id, document_id, parse_job_id, payload, correlation_id,
    attempt
  );
  v_job_id uuid;
  v_answer upload_pipeline.answer;
begin
  perform upload_pipeline.lock_provider_job(parse_job_id);

  -- A second round, because the job may have been created since it was looked for.
  for v_round in 1 .. 2 loop
    if code is not null then
      v_job_id := coalesce(receive_event.job_id, (
        select p.job_id
          from upload_pipeline.provider_jobs as p
         where p.parse_job_id = receive_event.parse_job_id
           and p.provider = upload_pipeline.provider_of(receive_event.source)
      ));
      -- The document is locked before the job: take_deliveries says why.
      perform
        from upload_pipeline.upload_jobs as j
        join upload_pipeline.documents as d on d.document_id = j.document_id
       where j.job_id = v_job_id
         and exists (
           select
             from upload_pipeline.webhook_deliveries as w
            where w.parse_job_id = receive_event.parse_job_id
              and upload_pipeline.provider_of(w.source) = upload_pipeline.provider_of(receive_event.source)
              and w.job_id is null
              and w.outcome = 'parked'
         )
         for key share of d;
      perform from upload_pipeline.upload_jobs as j where j.job_id = v_job_id for no key update;
    end if;

    begin
      v_answer := (upload_pipeline.take_deliveries(array[v_delivery]))[1];
    exception
      -- Another transaction has made a newer job for the document of this finished job. The next round sees it.
      when unique_violation then
        v_answer := (upload_pipeline.take_deliveries(array[v_delivery]))[1];
    end;
    exit when v_answer.outcome <> 'busy';
  end loop;

  if v_answer.outcome = 'refused' then
    perform upload_pipeline.refuse_delivery(v_delivery);
  end if;

  return row(
    v_answer.outcome, v_answer.job_id, v_answer.document_id, v_answer.status, v_answer.version, v_answer.event_id,
    v_answer.ordinal, v_answer.path
  )::upload_pipeline.receipt;
end;
$$;

comment on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text, integer
) is
  'Takes a proven delivery that carries no content: a provider''s notification, or an envelope that reports a '
  'failure. code is its meaning, a row of event_codes; null: it means nothing here. The job is named by job_id or '
  'found by parse_job_id. attempt is for senders that prove it with job_id; it counts if parse_job_id is not recorded. '
  'An earlier attempt than the job''s is stale; a later one, of a job that was restored from a backup, is taken for '
  'the current one. Outcomes: applied, duplicate, stale, ignored (code is null), parked (the provider job is not known '
  'yet). Raises UP001, UP004, UP006, UP007; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text, integer
) from public;
grant execute on function upload_pipeline.receive_event(
  text, text, text, text, text, uuid, uuid, text, jsonb, text, integer
) to hookline_ingest;
