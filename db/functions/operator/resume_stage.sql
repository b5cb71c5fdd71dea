-- Removes the pause from the row of the status.
-- Locks: status. Calls: check_isolation.
create or replace function upload_pipeline.resume_stage(status text)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform upload_pipeline.check_isolation();

  update upload_pipeline.statuses as s
     set paused_until = null,
         paused_because = null,
         paused_by = null
   where s.status = resume_stage.status
     and s.paused_until is not null;

  return found;
end;
$$;

comment on function upload_pipeline.resume_stage(text) is
  'Ends the pause of a status: its jobs are claimed again. Answers false if it was not paused.';

revoke all on function upload_pipeline.resume_stage(text) from public;
grant execute on function upload_pipeline.resume_stage(text) to hookline_operator;
