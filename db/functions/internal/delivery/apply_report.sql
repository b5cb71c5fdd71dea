-- Moves the job by a provider's report, whether the report came by webhook, was parked, or was asked for.
-- Locks: job. Calls: answer_is_stale, move_job, resolve_step.
create or replace function upload_pipeline.apply_report(
  job upload_pipeline.upload_jobs,
  code text,
  parse_job_id text,
  payload jsonb,
  correlation_id text
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_step upload_pipeline.step := upload_pipeline.resolve_step(job.status, apply_report.code);
begin
  -- Transitions know types and not codes. A transition that a later stage needs must not let a late report take stored
  -- content away.
  if job.has_content
    or v_step.status is null
    or upload_pipeline.answer_is_stale(job, null, apply_report.parse_job_id, v_step.failed)
  then
    return null;
  end if;

  -- Only a new report may rescue a failed job. Repeats of an applied report are ignored.
  if job.failed and exists (
    select
      from upload_pipeline.webhook_deliveries as d
      join upload_pipeline.event_codes as c on c.code = d.code
     where d.job_id = job.job_id
       and d.parse_job_id = apply_report.parse_job_id
       and d.outcome = 'applied'
       and c.to_status = v_step.status
  ) then
    return null;
  end if;

  if v_step.failed then
    job.last_error := apply_report.payload || jsonb_build_object('code', apply_report.code);
  end if;

  return upload_pipeline.move_job(
    job => job,
    step => v_step,
    payload => apply_report.payload,
    correlation_id => apply_report.correlation_id
  );
end;
$$;

comment on function upload_pipeline.apply_report(
  upload_pipeline.upload_jobs, text, text, jsonb, text
) is
  'Moves a locked job by a provider''s report and answers the event. Answers null and changes nothing if the report '
  'is stale.';

revoke all on function upload_pipeline.apply_report(
  upload_pipeline.upload_jobs, text, text, jsonb, text
) from public;
