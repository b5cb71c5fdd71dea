-- Writes the provider's id, whatever has become of the job in the meantime; moves the job; and applies what was
-- parked for that id. If nobody waits for the answer any more, it queues what the provider has to be told, so that a
-- worker that dies leaves nothing running there.
-- Locks: provider job (advisory), document, job, deletion, artifact, provider request, delivery.
-- Calls: apply_parked_reports, check_correlation_id, link_provider_job, lock_answered_job, lock_job, lock_provider_job,
-- move_job, queue_provider_request, receipt_of, resolve_step.
create or replace function upload_pipeline.record_submission(
  job_id uuid,
  attempt integer,
  parse_job_id text,
  correlation_id text default null,
  provider text default 'llamacloud'
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
  v_job upload_pipeline.upload_jobs;
  v_event upload_pipeline.events;
  v_submitted upload_pipeline.events;
begin
  if record_submission.provider is null or record_submission.provider !~ '^[a-z][a-z0-9_]{0,62}$'
    or record_submission.parse_job_id is null or length(record_submission.parse_job_id) not between 1 and 200
    or record_submission.attempt is null or record_submission.attempt < 1
  then
    raise exception 'a submission of job % cannot have attempt % and provider job %',
      record_submission.job_id, coalesce(attempt::text, 'null'),
      coalesce(quote_literal(left(parse_job_id, 200)), 'null')
      using errcode = 'UP006',
            detail = 'attempt counts from 1; parse_job_id has 1 to 200 characters; provider is a word in lower case.',
            hint = 'Pass the attempt that was submitted and the id that the provider answered with.';
  end if;

  perform upload_pipeline.check_correlation_id(correlation_id);
  perform upload_pipeline.lock_provider_job(parse_job_id);
  -- Once the document is locked, nobody erases it or purges its jobs.
  perform
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.documents as d on d.document_id = j.document_id
   where j.job_id = record_submission.job_id
     for key share of d;
  if not found and not exists (
    select
      from upload_pipeline.provider_jobs as p
     where p.parse_job_id = record_submission.parse_job_id
       and p.provider = record_submission.provider
  ) then
    perform upload_pipeline.queue_provider_request(provider, parse_job_id, 'delete');
    return upload_pipeline.receipt_of('ignored', v_job);
  end if;
  v_job := upload_pipeline.lock_answered_job(job_id, null, provider, parse_job_id);

  if attempt >= v_job.attempt then
    v_submitted := upload_pipeline.move_job(
      job => v_job,
      step => upload_pipeline.resolve_step(v_job.status, 'parse_submitted'),
      payload => jsonb_build_object('provider', provider, 'parse_job_id', parse_job_id, 'attempt', attempt),
      correlation_id => record_submission.correlation_id
    );
  end if;

  perform upload_pipeline.link_provider_job(
    provider, parse_job_id, v_job.job_id, attempt, submitted => true
  );
  -- A status that is terminal, not failed and without content: the job was cancelled.
  if attempt < v_job.attempt or v_job.terminal and not v_job.failed and not v_job.has_content then
    perform upload_pipeline.queue_provider_request(provider, parse_job_id, 'cancel');
  end if;
  perform upload_pipeline.apply_parked_reports(provider, parse_job_id, v_job.job_id);

  v_job := upload_pipeline.lock_job(record_submission.job_id);
  v_event.event_id := v_submitted.event_id;

  return upload_pipeline.receipt_of(
    case when v_submitted.event_id is null then 'stale' else 'applied' end, v_job, v_event
  );
end;
$$;

comment on function upload_pipeline.record_submission(uuid, integer, text, text, text) is
  'Keeps the id that the provider gave to an attempt, and moves the job to parse_queued if it still waits to be '
  'submitted. Then it applies the deliveries that were parked for that id, so the status in the receipt may be '
  'further on. Outcomes: applied, stale (the job had moved or the attempt is over; the id is kept all the same), '
  'ignored (the job was erased or purged). The provider job of a job that was cancelled, or of an attempt that is '
  'over, is cancelled at the provider; that of a job that was erased is deleted there. Safe to repeat. Raises UP001 '
  '(an unknown job, and a provider job of another one), UP004, UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.record_submission(uuid, integer, text, text, text) from public;
grant execute on function upload_pipeline.record_submission(uuid, integer, text, text, text) to hookline_worker;
