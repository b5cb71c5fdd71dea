create or replace function upload_pipeline.move_job_or_raise(
  job upload_pipeline.upload_jobs,
  code text,
  payload jsonb,
  correlation_id text default null,
  to_status text default null
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_event upload_pipeline.events := upload_pipeline.move_job(job, code, payload, correlation_id, to_status);
begin
  if v_event.event_id is not null then
    return v_event;
  end if;

  if exists (select from upload_pipeline.resolve_step(job.status, move_job_or_raise.code, move_job_or_raise.to_status)) then
    raise exception 'the document of job % has another job that is not finished', job.job_id
      using errcode = 'UP009',
            detail = format('Document %s may have one unfinished job.', job.document_id),
            hint = 'Wait for that job or cancel it with upload_pipeline.cancel_job, then call again.';
  end if;

  raise exception 'job % is % and cannot take the step %', job.job_id, job.status, move_job_or_raise.code
    using errcode = 'UP002',
          detail = format(
            'Enabled steps from %s: %s.',
            job.status,
            coalesce(
              (select string_agg(format('%s (%s)', t.to_status, t.event_type), ', ' order by t.to_status, t.event_type)
                 from upload_pipeline.transitions as t
                where t.from_status = job.status and t.enabled),
              'none'
            )
          ),
          hint = 'See upload_pipeline.job_timeline for how it came here, upload_pipeline.transitions for what is legal.';
end;
$$;

comment on function upload_pipeline.move_job_or_raise(upload_pipeline.upload_jobs, text, jsonb, text, text) is
  'write_step, where a refusal is an error. Raises UP002, UP009.';

revoke all on function upload_pipeline.move_job_or_raise(upload_pipeline.upload_jobs, text, jsonb, text, text) from public;
