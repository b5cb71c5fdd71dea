-- Changes no table: it answers the move that is made instead of a move to a dead letter. The job goes back along its
-- retry transition, as retry_job sends it, to the provider that the table fallbacks names. It comes to no provider
-- twice: the events of the job name those that it has left.
-- Locks: none. Calls: clock, content_is_waiting, resolve_step.
create or replace function upload_pipeline.fall_back(move upload_pipeline.move)
returns upload_pipeline.move
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job upload_pipeline.upload_jobs := move.job;
  v_error jsonb := coalesce(
    move.error, v_job.last_error, move.payload || jsonb_build_object('code', (move.step).code)
  );
  v_next text;
  v_step upload_pipeline.step;
begin
  if v_job.provider is null or v_job.has_content or v_job.terminal then
    return move;
  end if;

  -- A code with a row of its own has only this one, also where it leads back.
  select f.next_provider into v_next
    from upload_pipeline.fallbacks as f
   where f.provider = v_job.provider
     and (f.code = v_error ->> 'code' or f.code is null)
   order by f.code nulls last
   limit 1;
  if not found or upload_pipeline.content_is_waiting(v_job.job_id, v_job.attempt) or exists (
    select
      from upload_pipeline.events as e
     where e.job_id = v_job.job_id
       and e.code in ('fell_back', 'job_retried')
       and e.payload ->> 'from_provider' = v_next
  ) then
    return move;
  end if;

  v_step := upload_pipeline.resolve_step(
    v_job.status,
    'fell_back',
    (select t.to_status
       from upload_pipeline.transitions as t
      where t.from_status = v_job.status
        and t.to_status <> t.from_status
        and t.event_type = 'retry'
        and t.enabled
      limit 1)
  );
  if v_step.status is null then
    return move;
  end if;

  move.payload := v_error || move.payload || jsonb_build_object(
    'provider', v_next, 'from_provider', v_job.provider, 'attempt', v_job.attempt + 1
  );
  v_job.provider := v_next;
  v_job.attempt := v_job.attempt + 1;
  v_job.max_attempts := greatest(v_job.max_attempts, v_job.attempt);
  v_job.run_after := upload_pipeline.clock();
  v_job.last_error := v_error;
  move.job := v_job;
  move.step := v_step;
  move.error := null;

  -- Only a hint: idle workers would find the job at their next poll.
  perform pg_notify('hookline', v_step.status);

  return move;
end;
$$;

comment on function upload_pipeline.fall_back(upload_pipeline.move) is
  'Answers the move to another attempt at the next provider, if the table fallbacks has one for this failure; else the '
  'same move.';

revoke all on function upload_pipeline.fall_back(upload_pipeline.move) from public;
