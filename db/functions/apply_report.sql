-- What a provider's report does to the job it answers, whichever way it came: by webhook, parked, or asked for.
create or replace function upload_pipeline.apply_report(
  job upload_pipeline.upload_jobs,
  code text,
  attempt integer,
  parse_job_id text,
  payload jsonb,
  correlation_id text
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_failed boolean;
begin
  select s.failed into v_failed
    from upload_pipeline.next_step(job.status, apply_report.code) as s;
  if not found
    or upload_pipeline.answers_earlier_attempt(job, apply_report.attempt, apply_report.parse_job_id, v_failed)
  then
    return null;
  end if;

  if v_failed then
    job.last_error := apply_report.payload || jsonb_build_object('code', apply_report.code);
  end if;

  return upload_pipeline.try_transition(
    job => job,
    code => apply_report.code,
    payload => apply_report.payload,
    correlation_id => apply_report.correlation_id
  );
end;
$$;

comment on function upload_pipeline.apply_report(
  upload_pipeline.upload_jobs, text, integer, text, jsonb, text
) is 'Moves a locked job by a provider''s report; null, and nothing done, where the report is stale.';

revoke all on function upload_pipeline.apply_report(
  upload_pipeline.upload_jobs, text, integer, text, jsonb, text
) from public;
