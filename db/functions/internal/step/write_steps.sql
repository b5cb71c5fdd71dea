-- Inserts the events of many steps, and the notifications of those that are announced; then moves their jobs. This is
-- the only place where a job moves. The caller has locked the jobs, and passes each of them once. The events go in
-- first, because a trigger on upload_jobs looks for them. Every step ends the lease: its holder is refused with UP003
-- from then on. A step to a dead letter becomes one to the next provider, if the job has a fallback. A step that begins
-- another attempt, whoever makes it, ends what belongs to the one before.
-- Locks: job, deletion, artifact, provider request. Calls: clock, fall_back, leave_attempt, uuid7.
create or replace function upload_pipeline.write_steps(moves upload_pipeline.move[])
returns setof upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
-- For each move the job is looked up by its key, whatever number of moves the planner expects.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_now timestamptz := upload_pipeline.clock();
  v_step upload_pipeline.step;
begin
  for v_number in 1 .. coalesce(cardinality(moves), 0) loop
    v_step := (moves[v_number]).step;
    if v_step.failed then
      moves[v_number] := upload_pipeline.fall_back(moves[v_number]);
      v_step := (moves[v_number]).step;
    end if;
    if v_step.event_type = 'retry' then
      perform upload_pipeline.leave_attempt(moves[v_number]);
    end if;
  end loop;

  return query
  with written as (
    insert into upload_pipeline.events (
      event_id, job_id, version, document_id, from_status, to_status, type, severity, code, payload, correlation_id, ts
    )
    select coalesce(m.event_id, upload_pipeline.uuid7()), (m.job).job_id, (m.job).version + 1, (m.job).document_id,
           (m.job).status, (m.step).status, (m.step).event_type, (m.step).severity, (m.step).code, m.payload,
           coalesce(m.correlation_id, (m.job).correlation_id),
           -- The times of events never go back, even if the clock did. Waits are counted by the clock.
           greatest(v_now, (m.job).updated_at)
      from unnest(write_steps.moves) as m
    returning event_id, job_id, version, document_id, from_status, to_status, type, severity, code, payload,
              correlation_id, ts
  ), announced as (
    insert into upload_pipeline.notifications (event_id, job_id, version)
    select w.event_id, w.job_id, w.version
      from written as w
     where w.to_status <> w.from_status
       and w.to_status = any (
         array(select (m.step).status from unnest(write_steps.moves) as m where (m.step).announced)
       )
  )
  select w.event_id, w.job_id, w.version, w.document_id, w.from_status, w.to_status, w.type, w.severity, w.code,
         w.payload, w.correlation_id, w.ts
    from written as w;

  update upload_pipeline.upload_jobs as j
     set status = (m.step).status,
         terminal = (m.step).terminal,
         failed = (m.step).failed,
         claimable = (m.step).claimable,
         has_content = (m.step).has_content,
         version = (m.job).version + 1,
         attempt = (m.job).attempt,
         provider = (m.job).provider,
         max_attempts = (m.job).max_attempts,
         run_after = case
           when (m.step).status = (m.job).status or (m.step).event_type = 'retry' then (m.job).run_after
           else v_now
         end,
         deadline_at = case
           -- After a retry, and after a lease that ends without a change of status, any worker may take the job, as in
           -- end_lease. A job that waits without a lease, and a job that changed its status, get the deadline of the
           -- status.
           when ((m.step).event_type = 'retry' or (m.step).status = (m.job).status and (m.job).lease_token is not null)
             and not (m.step).claimable and not (m.step).terminal
           then greatest((m.job).run_after, v_now)
           when (m.step).status = (m.job).status then (m.job).deadline_at
           else v_now + (m.step).overdue_after
         end,
         lease_token = null,
         leased_by = null,
         leased_until = null,
         parsed_path = (m.job).parsed_path,
         parsed_sha256 = (m.job).parsed_sha256,
         parsed_bytes = (m.job).parsed_bytes,
         -- A failed job has a last_error, even if the code that led there is not an error.
         last_error = case
           when (m.step).failed
           then coalesce(m.error, (m.job).last_error, m.payload || jsonb_build_object('code', (m.step).code))
           else (m.job).last_error
         end,
         updated_at = greatest(v_now, (m.job).updated_at)
    from unnest(write_steps.moves) as m
   where j.job_id = (m.job).job_id;
end;
$$;

comment on function upload_pipeline.write_steps(upload_pipeline.move[]) is
  'Writes the event of each step and moves its locked job along it; answers the events, in any order. An event has '
  'another status than its step if the job fell back. Raises 23505 '
  'if a step leaves a finished status while the document has another unfinished job.';

revoke all on function upload_pipeline.write_steps(upload_pipeline.move[]) from public;
