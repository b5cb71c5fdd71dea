-- The state machine's answer: what `code` means for a job in `from_status`. No row: it has no such step. A code that
-- leads to a status is no step for a job that is there: a self-loop is for codes that lead nowhere.
create or replace function upload_pipeline.resolve_step(from_status text, code text, to_status text default null)
returns table (
  status text,
  terminal boolean,
  failed boolean,
  claimable boolean,
  has_content boolean,
  overdue_after interval,
  event_type upload_pipeline.event_type,
  severity upload_pipeline.severity
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select s.status, s.terminal, s.failed, s.claimable, s.has_content, s.overdue_after, c.event_type, c.severity
    from upload_pipeline.event_codes as c
    join upload_pipeline.transitions as t
      on t.from_status = resolve_step.from_status
     and t.to_status = coalesce(resolve_step.to_status, c.to_status, resolve_step.from_status)
     and t.event_type = c.event_type
     and t.enabled
    join upload_pipeline.statuses as s on s.status = t.to_status
   where c.code = resolve_step.code
     and c.to_status is distinct from resolve_step.from_status;
$$;

comment on function upload_pipeline.resolve_step(text, text, text) is
  'Where an event of this code leads from this status, by transitions and event_codes; no row if nowhere.';

revoke all on function upload_pipeline.resolve_step(text, text, text) from public;
