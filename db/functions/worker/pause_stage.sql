-- Writes a pause into the row of the status, for what would fail every job there, or into provider_pauses, for what
-- would fail those of one provider: a spent quota, a revoked key.
-- Locks: status, provider pause. Calls: check_isolation, clock, record_action.
create or replace function upload_pipeline.pause_stage(
  status text,
  until timestamptz,
  reason text,
  provider text default null
)
returns timestamptz
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_until timestamptz;
begin
  perform upload_pipeline.check_isolation();

  if until is null or until > upload_pipeline.clock() + interval '31 days'
    or reason is null or length(reason) not between 1 and 500
    or provider !~ '^[a-z][a-z0-9_]{0,62}$'
  then
    raise exception 'status % cannot be paused until % because %',
      coalesce(pause_stage.status, 'null'), coalesce(until::text, 'null'),
      coalesce(quote_literal(left(reason, 100)), 'null')
      using errcode = 'UP006',
            detail = 'until is at most 31 days ahead; reason has 1 to 500 characters; provider is null or a word in '
              'lower case.',
            hint = 'Pass how long the reason may last. A pause ends by itself, or by upload_pipeline.resume_stage.';
  end if;

  update upload_pipeline.statuses as s
     -- A time that has passed is no pause; it may be one that the column does not hold.
     set paused_until = greatest(s.paused_until, pause_stage.until, upload_pipeline.clock()),
         paused_because = case
           when s.paused_until > pause_stage.until then s.paused_because
           else pause_stage.reason
         end,
         paused_by = case when s.paused_until > pause_stage.until then s.paused_by else session_user end
   where s.status = pause_stage.status
     and pause_stage.provider is null
     and not s.terminal
  returning s.paused_until into v_until;

  if provider is not null then
    insert into upload_pipeline.provider_pauses as p (status, provider, paused_until, paused_because)
    select s.status, pause_stage.provider, greatest(pause_stage.until, upload_pipeline.clock()), pause_stage.reason
      from upload_pipeline.statuses as s
     where s.status = pause_stage.status
       and not s.terminal
    on conflict on constraint provider_pauses_pkey do update
       set paused_until = greatest(p.paused_until, excluded.paused_until),
           paused_because = case
             when p.paused_until > excluded.paused_until then p.paused_because
             else excluded.paused_because
           end,
           paused_by = case when p.paused_until > excluded.paused_until then p.paused_by else excluded.paused_by end
    returning p.paused_until into v_until;
  end if;

  if v_until is null then
    raise exception 'status % cannot be paused', coalesce(quote_literal(left(pause_stage.status, 100)), 'null')
      using errcode = 'UP006',
            detail = 'It is not a status, or its jobs are finished.',
            hint = 'Pass a status of upload_pipeline.statuses that is not terminal.';
  end if;

  -- A worker pauses a stage for a reason of its own, and may do so for each of its jobs.
  if pg_has_role(session_user, 'hookline_operator', 'member') then
    perform upload_pipeline.record_action(
      'pause_stage', pause_stage.reason, status => pause_stage.status,
      details => jsonb_build_object('until', pause_stage.until, 'provider', pause_stage.provider)
    );
  end if;

  return v_until;
end;
$$;

comment on function upload_pipeline.pause_stage(text, timestamptz, text, text) is
  'Stops claims of the jobs of a status until a time; with provider, only those of its jobs. Jobs that are claimed '
  'already go on. If the status is paused already, the longer pause counts. Answers until when it is paused. Raises '
  'UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.pause_stage(text, timestamptz, text, text) from public;
grant execute on function upload_pipeline.pause_stage(text, timestamptz, text, text)
  to hookline_worker, hookline_operator;
