-- Moves the job by the step that its worker has done, and ends its lease or keeps it.
-- Locks: document (if keep_lease, because the job's row is then written twice), job, deletion, artifact, provider
-- request.
-- Calls: lock_leased_job, move_job_or_raise, receipt_of, resolve_step.
create or replace function upload_pipeline.advance_job(
  job_id uuid,
  lease_token uuid,
  code text,
  payload jsonb default '{}',
  keep_lease boolean default false
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
  v_is_valid boolean;
  v_codes text;
  v_step upload_pipeline.step;
  v_event upload_pipeline.events;
begin
  if keep_lease then
    perform
      from upload_pipeline.documents as d
     where d.document_id = (
       select j.document_id from upload_pipeline.upload_jobs as j where j.job_id = advance_job.job_id
     )
       for key share;
  end if;
  v_job := upload_pipeline.lock_leased_job(job_id, lease_token);

  v_is_valid := coalesce(jsonb_typeof(payload) = 'object', false) and exists (
    select
      from upload_pipeline.event_codes as c
     where c.code = advance_job.code
       and c.event_type in ('stage_started', 'stage_done', 'finalized')
  );
  v_step := upload_pipeline.resolve_step(v_job.status, advance_job.code);

  if not v_is_valid or v_step.status is null then
    select coalesce(string_agg(c.code, ', ' order by c.code), 'none')
      into v_codes
      from upload_pipeline.event_codes as c
     cross join lateral upload_pipeline.resolve_step(v_job.status, c.code) as s
     where c.event_type in ('stage_started', 'stage_done', 'finalized')
       and s.status is not null
       and (v_job.has_content or not s.has_content);
  end if;

  if not v_is_valid then
    raise exception 'job % cannot advance by %', v_job.job_id, coalesce(quote_literal(left(code, 100)), 'null')
      using errcode = 'UP006',
            detail = format('The job is %s. Its legal codes: %s. payload is a JSON object.', v_job.status, v_codes),
            hint = 'Report a failure with upload_pipeline.fail_job. A code of your own needs a row in '
              'upload_pipeline.event_codes, with event_type stage_started, stage_done or finalized.';
  end if;

  if v_step.status is null then
    raise exception 'job % is % and cannot take the step %', v_job.job_id, v_job.status, advance_job.code
      using errcode = 'UP002',
            detail = format('Its legal codes: %s.', v_codes),
            hint = 'A step of your own needs a row in upload_pipeline.transitions.';
  end if;

  -- has_content decides, and not parsed_path, which after a retry may still name content of an earlier attempt.
  if not v_job.has_content and v_step.has_content then
    raise exception 'job % has no content yet and cannot take the step %', v_job.job_id, advance_job.code
      using errcode = 'UP002',
            detail = format('It is %s, and the step leads to a status whose jobs must have content.', v_job.status),
            hint = 'Pass the content to upload_pipeline.receive_content, write the object, then call finish_content.';
  end if;

  if v_step.status <> v_job.status then
    v_job.last_error := null;
  end if;

  v_event := upload_pipeline.move_job_or_raise(job => v_job, step => v_step, payload => advance_job.payload);

  if keep_lease then
    update upload_pipeline.upload_jobs as j
       set lease_token = v_job.lease_token,
           leased_by = v_job.leased_by,
           leased_until = v_job.leased_until,
           deadline_at = case when v_event.to_status = v_job.status then v_job.deadline_at else j.deadline_at end
     where j.job_id = v_job.job_id
       and not j.terminal;
  end if;

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.advance_job(uuid, uuid, text, jsonb, boolean) is
  'Moves a leased job by the step that a worker has done. code is a row of event_codes and says which step. It '
  'ends the lease, unless keep_lease is true because the same worker goes on. Outcome: applied. Raises UP001, '
  'UP002, UP003, UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.advance_job(uuid, uuid, text, jsonb, boolean) from public;
grant execute on function upload_pipeline.advance_job(uuid, uuid, text, jsonb, boolean) to hookline_worker;
