-- Moves the job as move_job does, for callers to whom a refusal is an error.
-- Locks: job, deletion, artifact, provider request. Calls: move_job.
create or replace function upload_pipeline.move_job_or_raise(
  job upload_pipeline.upload_jobs,
  step upload_pipeline.step,
  payload jsonb
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_event upload_pipeline.events := upload_pipeline.move_job(job, step, payload);
begin
  if v_event.event_id is not null then
    return v_event;
  end if;

  if step.has_content and job.parsed_path is null then
    raise exception 'job % has no content and cannot take the step %', job.job_id, step.code
      using errcode = 'UP002',
            detail = format('It is %s; the step leads to %s, whose jobs have content.', job.status, step.status),
            hint = 'Correct upload_pipeline.transitions or event_codes: content comes to a job by finish_content only.';
  end if;

  if step.status is not null then
    raise exception 'the document of job % has another job that is not finished', job.job_id
      using errcode = 'UP009',
            detail = format('Document %s may have one unfinished job.', job.document_id),
            hint = 'Wait for that job or cancel it with upload_pipeline.cancel_job, then call again.';
  end if;

  raise exception 'job % is % and cannot take the step %', job.job_id, job.status, step.code
    using errcode = 'UP002',
          detail = format(
            'Enabled steps from %s: %s.',
            job.status,
            coalesce(
              (select string_agg(format('%s (%s)', t.to_status, t.event_type), ', ' order by t.to_status, t.event_type)
                 from upload_pipeline.transitions as t
                where t.from_status = job.status
                  and t.enabled),
              'none'
            )
          ),
          hint = 'See upload_pipeline.job_timeline for the history of the job, and upload_pipeline.transitions for '
            'the legal steps.';
end;
$$;

comment on function upload_pipeline.move_job_or_raise(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb) is
  'Moves a locked job along a step of resolve_step and answers its event. Raises UP002 if the machine has no such '
  'step, UP009 if the document has another unfinished job.';

revoke all on function upload_pipeline.move_job_or_raise(upload_pipeline.upload_jobs, upload_pipeline.step, jsonb)
  from public;
