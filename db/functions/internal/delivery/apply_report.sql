-- Applies a parked report to its job. take_deliveries does the same for reports that come by webhook.
-- Locks: job, deletion, artifact, provider request. Calls: move_job, report_step.
create or replace function upload_pipeline.apply_report(
  job upload_pipeline.upload_jobs,
  code text,
  provider text,
  parse_job_id text,
  payload jsonb,
  correlation_id text
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_attempt integer := (
    select p.attempt
      from upload_pipeline.provider_jobs as p
     where p.parse_job_id = apply_report.parse_job_id
       and p.provider = apply_report.provider
       and p.job_id = job.job_id
  );
  v_step upload_pipeline.step;
begin
  select s.* into v_step
    from upload_pipeline.report_step(
      job.job_id, job.document_id, job.status, job.attempt, job.terminal, job.failed, job.has_content, job.parsed_path,
      apply_report.code, apply_report.parse_job_id, v_attempt, apply_report.provider
    ) as s;
  if not found then
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
  upload_pipeline.upload_jobs, text, text, text, jsonb, text
) is
  'Moves a locked job by a provider''s report and answers the event. Answers null and changes nothing if the report '
  'is stale.';

revoke all on function upload_pipeline.apply_report(
  upload_pipeline.upload_jobs, text, text, text, jsonb, text
) from public;
