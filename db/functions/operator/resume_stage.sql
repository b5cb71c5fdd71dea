-- Removes the pause from the row of the status, and those of its providers, and writes down who did so.
-- Locks: status, provider pause. Calls: check_isolation, record_action.
create or replace function upload_pipeline.resume_stage(status text, reason text default null)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_was_paused boolean;
begin
  perform upload_pipeline.check_isolation();

  update upload_pipeline.statuses as s
     set paused_until = null,
         paused_because = null,
         paused_by = null
   where s.status = resume_stage.status
     and s.paused_until is not null;

  v_was_paused := found;

  delete from upload_pipeline.provider_pauses as p
   where p.status = resume_stage.status;

  v_was_paused := v_was_paused or found;
  if v_was_paused then
    perform upload_pipeline.record_action('resume_stage', resume_stage.reason, status => resume_stage.status);
  end if;

  return v_was_paused;
end;
$$;

comment on function upload_pipeline.resume_stage(text, text) is
  'Ends the pause of a status, and of its providers: its jobs are claimed again. Answers false if it was not paused. '
  'operator_actions says who resumed it. Raises UP006.';

revoke all on function upload_pipeline.resume_stage(text, text) from public;
grant execute on function upload_pipeline.resume_stage(text, text) to hookline_operator;
