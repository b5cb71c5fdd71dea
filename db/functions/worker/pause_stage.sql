-- What stops one job of a status would stop them all: spent quota, a revoked key. Locks: status.
create or replace function upload_pipeline.pause_stage(status text, until timestamptz, reason text)
returns timestamptz
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_until timestamptz;
begin
  if until is null or until > upload_pipeline.clock() + interval '31 days'
    or reason is null or length(reason) not between 1 and 500
  then
    raise exception 'status % cannot be paused until % because %',
      coalesce(pause_stage.status, 'null'), coalesce(until::text, 'null'), coalesce(quote_literal(left(reason, 100)), 'null')
      using errcode = 'UP006',
            detail = 'until is at most 31 days ahead; reason has 1 to 500 characters.',
            hint = 'Pause for as long as the reason may last; a pause ends by itself, or by upload_pipeline.resume_stage.';
  end if;

  update upload_pipeline.statuses as s
     set paused_until = greatest(s.paused_until, pause_stage.until),
         paused_because = case when s.paused_until > pause_stage.until then s.paused_because else pause_stage.reason end
   where s.status = pause_stage.status
     and not s.terminal
  returning s.paused_until into v_until;
  if not found then
    raise exception 'no stage waits in status %', coalesce(quote_literal(left(pause_stage.status, 100)), 'null')
      using errcode = 'UP006',
            detail = 'It is no status, or one of finished jobs.',
            hint = 'See upload_pipeline.statuses.';
  end if;

  return v_until;
end;
$$;

comment on function upload_pipeline.pause_stage(text, timestamptz, text) is
  'No job of this status is claimed until then; what is claimed already goes on. The longer of two pauses counts. '
  'Answers until when. Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.pause_stage(text, timestamptz, text) from public;
grant execute on function upload_pipeline.pause_stage(text, timestamptz, text) to hookline_worker, hookline_operator;
