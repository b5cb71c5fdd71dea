-- Inserts the events of many steps and moves their jobs. This is the only place where a job moves. The caller has
-- locked the jobs, and passes each of them once. The event goes in before the job's row changes, because a trigger on
-- upload_jobs looks for it. Every step ends the lease: its holder is refused with UP003 from then on.
-- Locks: job. Calls: clock.
create or replace function upload_pipeline.write_steps(moves upload_pipeline.move[])
returns setof upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return query
  with step as materialized (
    select m.job_id, j.document_id, j.version + 1 as version, j.status as from_status, (m.step).status as to_status,
           (m.step).terminal, (m.step).failed, (m.step).claimable, (m.step).has_content,
           (m.step).event_type, (m.step).severity, (m.step).code, (m.step).overdue_after,
           (m.step).status = j.status as stays,
           -- After a retry, and after a lease that ends without a change of status, any worker may take the job, as in
           -- end_lease. A job that waits without a lease, and a job that changed its status, get the deadline of the
           -- status.
           (m.step).event_type = 'retry' or (m.step).status = j.status and j.lease_token is not null as ends_lease,
           m.payload, coalesce(m.correlation_id, j.correlation_id) as correlation_id, m.attempt, m.max_attempts,
           m.run_after, j.deadline_at, m.parsed_path, m.parsed_sha256, m.parsed_bytes, m.last_error,
           -- The times of events never go back, even if the clock did. Waits are counted by the clock.
           c.moment, greatest(c.moment, j.updated_at) as ts
      from unnest(write_steps.moves) as m
     cross join lateral (select upload_pipeline.clock() as moment offset 0) as c
      join lateral (
        select k.document_id, k.version, k.status, k.lease_token, k.correlation_id, k.deadline_at, k.updated_at
          from upload_pipeline.upload_jobs as k
         where k.job_id = m.job_id
        offset 0
      ) as j on true
  ),
  event as (
    insert into upload_pipeline.events (
      job_id, version, document_id, from_status, to_status, type, severity, code, payload, correlation_id, ts
    )
    select s.job_id, s.version, s.document_id, s.from_status, s.to_status, s.event_type, s.severity, s.code,
           s.payload, s.correlation_id, s.ts
      from step as s
    returning event_id, job_id, version, document_id, from_status, to_status, type, severity, code, payload,
              correlation_id, ts
  )
  update upload_pipeline.upload_jobs as j
     set status = s.to_status,
         terminal = s.terminal,
         failed = s.failed,
         claimable = s.claimable,
         has_content = s.has_content,
         version = s.version,
         attempt = s.attempt,
         max_attempts = s.max_attempts,
         run_after = case when s.stays or s.event_type = 'retry' then s.run_after else s.moment end,
         deadline_at = case
           when s.ends_lease and not s.claimable and not s.terminal then greatest(s.run_after, s.moment)
           when s.stays then s.deadline_at
           else s.moment + s.overdue_after
         end,
         lease_token = null,
         leased_by = null,
         leased_until = null,
         parsed_path = s.parsed_path,
         parsed_sha256 = s.parsed_sha256,
         parsed_bytes = s.parsed_bytes,
         -- A failed job has a last_error, even if the code that led there is not an error.
         last_error = case
           when s.failed then coalesce(s.last_error, s.payload || jsonb_build_object('code', s.code))
           else s.last_error
         end,
         updated_at = s.ts
    from step as s
    join event as e on e.job_id = s.job_id
   where j.job_id = s.job_id
     -- The index is used, whatever number of jobs the planner expects.
     and j.job_id = any (array(select m.job_id from unnest(write_steps.moves) as m))
  returning e.event_id, e.job_id, e.version, e.document_id, e.from_status, e.to_status, e.type, e.severity, e.code,
            e.payload, e.correlation_id, e.ts;
end;
$$;

comment on function upload_pipeline.write_steps(upload_pipeline.move[]) is
  'Writes the event of each step and moves its locked job along it; answers the events, in any order. Raises 23505 '
  'if a step leaves a finished status while the document has another unfinished job.';

revoke all on function upload_pipeline.write_steps(upload_pipeline.move[]) from public;
