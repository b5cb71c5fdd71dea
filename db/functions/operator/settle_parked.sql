-- Gives parked deliveries the outcome ignored, or links their provider job to a job and applies them. Later reports of
-- the provider job find the decision: the link, or an ignored delivery (receive_event).
-- Locks: provider job (advisory), document, job, deletion, artifact, provider request, delivery.
-- Calls: apply_parked_reports, link_provider_job, lock_answered_job, lock_job, lock_provider_job, provider_of,
-- receipt_of, record_action.
create or replace function upload_pipeline.settle_parked(
  parse_job_id text,
  job_id uuid default null,
  provider text default 'llamacloud',
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
  v_job upload_pipeline.upload_jobs;
  v_version integer;
begin
  perform upload_pipeline.lock_provider_job(parse_job_id);
  if settle_parked.job_id is not null then
    v_job := upload_pipeline.lock_answered_job(
      settle_parked.job_id, null, settle_parked.provider, settle_parked.parse_job_id
    );
  end if;

  perform
    from upload_pipeline.webhook_deliveries as d
   where d.parse_job_id = settle_parked.parse_job_id
     and upload_pipeline.provider_of(d.source) = settle_parked.provider
     and d.job_id is null
     and d.outcome = 'parked'
   order by d.first_seen, d.source, d.delivery_id
     for no key update;
  if not found then
    raise exception 'no delivery is parked for provider job % of %',
      coalesce(quote_literal(left(parse_job_id, 200)), 'null'), coalesce(quote_literal(left(provider, 200)), 'null')
      using errcode = 'UP001',
            detail = 'A delivery is parked while it is not known which job its provider job belongs to.',
            hint = 'See upload_pipeline.delivery_log where outcome = ''parked''.';
  end if;

  perform upload_pipeline.record_action(
    'settle_parked', settle_parked.reason, id => settle_parked.job_id,
    details => jsonb_build_object(
      'provider', settle_parked.provider, 'ours', settle_parked.job_id is not null
    )
  );

  if v_job.job_id is null then
    update upload_pipeline.webhook_deliveries as d
       set outcome = 'ignored'
     where d.parse_job_id = settle_parked.parse_job_id
       and upload_pipeline.provider_of(d.source) = settle_parked.provider
       and d.job_id is null
       and d.outcome = 'parked';

    return upload_pipeline.receipt_of('ignored', v_job);
  end if;

  v_version := v_job.version;
  perform upload_pipeline.link_provider_job(provider, parse_job_id, v_job.job_id, v_job.attempt);
  perform upload_pipeline.apply_parked_reports(provider, parse_job_id, v_job.job_id);
  v_job := upload_pipeline.lock_job(v_job.job_id);

  return upload_pipeline.receipt_of(case when v_job.version > v_version then 'applied' else 'stale' end, v_job);
end;
$$;

comment on function upload_pipeline.settle_parked(text, uuid, text, text) is
  'Decides on deliveries that are parked: their provider job belongs to the current attempt of this job; or, with '
  'job_id null, to no job of ours, and later reports of it are ignored too. Outcomes: applied, stale (the job did '
  'not move by them), ignored. Raises UP001, UP004.';

revoke all on function upload_pipeline.settle_parked(text, uuid, text, text) from public;
grant execute on function upload_pipeline.settle_parked(text, uuid, text, text) to hookline_operator;
