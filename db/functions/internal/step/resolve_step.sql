-- Changes nothing. A code with a to_status never applies to a job already in that status. Only codes without one keep
-- the status.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.resolve_step(from_status text, code text, to_status text default null)
returns upload_pipeline.step
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_step upload_pipeline.step;
begin
  select c.code, s.status, s.terminal, s.failed, s.claimable, s.has_content, s.overdue_after,
         s.announced_since is not null, c.event_type, c.severity
    into v_step
    from upload_pipeline.event_codes as c
    join upload_pipeline.transitions as t
      on t.from_status = resolve_step.from_status
     and t.to_status = coalesce(resolve_step.to_status, c.to_status, resolve_step.from_status)
     and t.event_type = c.event_type
     and t.enabled
    join upload_pipeline.statuses as s on s.status = t.to_status
   where c.code = resolve_step.code
     and c.to_status is distinct from resolve_step.from_status;
  v_step.code := resolve_step.code;

  return v_step;
end;
$$;

comment on function upload_pipeline.resolve_step(text, text, text) is
  'Where an event of this code leads from this status, by the tables transitions and event_codes. The status of the '
  'answer is null if there is no such step. to_status chooses between several statuses that the code could lead to.';

revoke all on function upload_pipeline.resolve_step(text, text, text) from public;
