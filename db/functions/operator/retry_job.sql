-- Moves the job along the one retry transition that leaves its status; without one it keeps its status. attempt only
-- rises, because provider jobs and push tokens name it. If all attempts are used up, an operator's retry allows one
-- more.
-- Locks: job, deletion, artifact, provider request.
-- Calls: check_provider, clock, content_still_wanted, lock_job, move_job_or_raise, receipt_of, resolve_step.
create or replace function upload_pipeline.retry_job(
  job_id uuid,
  reason text default null,
  provider text default null
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
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(job_id);
  v_event upload_pipeline.events;
  v_waiting record;
  v_from_provider text;
begin
  perform upload_pipeline.check_provider(provider);

  select c.ordinal, c.path, c.content is null as awaited into v_waiting
    from upload_pipeline.contents as c
   where c.job_id = v_job.job_id
     and c.attempt >= v_job.attempt
     and c.path is not null
     and c.stored_at is null
     and c.run_after is not null
   limit 1;
  if found and upload_pipeline.content_still_wanted(v_job, v_job.attempt, null, null) then
    return upload_pipeline.receipt_of(
      case when v_waiting.awaited then 'awaited' else 'kept' end,
      v_job, ordinal => v_waiting.ordinal, path => v_waiting.path
    );
  end if;

  v_from_provider := v_job.provider;
  -- Without a provider it is again the one that was asked for last, and not the one to which the job fell back.
  v_job.provider := coalesce(
    retry_job.provider,
    (
      select e.payload ->> 'provider'
        from upload_pipeline.events as e
       where e.job_id = v_job.job_id
         and e.code in ('job_created', 'job_retried')
         and e.payload ? 'provider'
       order by e.version desc
       limit 1
    )
  );
  v_job.attempt := v_job.attempt + 1;
  v_job.max_attempts := greatest(v_job.max_attempts, v_job.attempt);
  v_job.run_after := upload_pipeline.clock();

  v_event := upload_pipeline.move_job_or_raise(
    job => v_job,
    step => upload_pipeline.resolve_step(
      v_job.status,
      'job_retried',
      (select t.to_status
         from upload_pipeline.transitions as t
        where t.from_status = v_job.status
          and t.to_status <> t.from_status
          and t.event_type = 'retry'
        -- A status whose way back is disabled has no step in place either: nobody would submit the new attempt.
        order by t.enabled desc
        limit 1)
    ),
    payload => jsonb_build_object('attempt', v_job.attempt, 'reason', reason, 'by', session_user)
      || jsonb_strip_nulls(jsonb_build_object('provider', retry_job.provider, 'from_provider', v_from_provider))
  );

  -- Only a hint: idle workers would find the job at their next poll.
  perform pg_notify('hookline', coalesce(v_event.to_status, v_job.status));

  return upload_pipeline.receipt_of('applied', v_job, v_event);
end;
$$;

comment on function upload_pipeline.retry_job(uuid, text, text) is
  'Sends a failed or stuck job back for another attempt, at once, to this provider (null: the one that create_job or '
  'the last retry named). Answers to earlier attempts are stale from now on. Outcomes: applied, kept (nothing was '
  'changed: its content is in Postgres and waits for storage, and the drain will finish it), awaited (nothing was '
  'changed: its content is being written, call again in a minute). Raises UP001, UP002, UP006, UP009. Many '
  'at once: with due as materialized (select job_id from upload_pipeline.failed_jobs) select r.* from due cross join '
  'lateral upload_pipeline.retry_job(due.job_id) as r;';

revoke all on function upload_pipeline.retry_job(uuid, text, text) from public;
grant execute on function upload_pipeline.retry_job(uuid, text, text) to hookline_operator;
