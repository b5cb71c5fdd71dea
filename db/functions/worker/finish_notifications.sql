-- Ends the leases of many notifications. What the application did not take waits for its next try, or is dead. After
-- one that is taken or dead, the next one of its job is due. It waits for no lock: who else locks a notification
-- deletes it or sends it again.
-- Locks: notification (skip locked). Calls: backoff, check_isolation, clock.
create or replace function upload_pipeline.finish_notifications(
  event_ids uuid[],
  lease_tokens uuid[],
  errors text[],
  pauses interval[],
  permanent boolean[]
)
returns table (event_id uuid, state text)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := upload_pipeline.clock();
begin
  perform upload_pipeline.check_isolation();

  if event_ids is null or lease_tokens is null or errors is null or pauses is null or permanent is null
    or array_ndims(event_ids) > 1
    or (array_dims(lease_tokens), array_dims(errors), array_dims(pauses), array_dims(permanent))
      is distinct from (array_dims(event_ids), array_dims(event_ids), array_dims(event_ids), array_dims(event_ids))
    or exists (
      select
        from unnest(errors, pauses) as said (error, pause)
       where length(said.error) not between 1 and 500
          or said.pause not between interval '0' and interval '1 day'
    )
  then
    raise exception 'cannot finish % notifications with % leases, % errors, % pauses and % flags',
      coalesce(cardinality(event_ids)::text, 'null'), coalesce(cardinality(lease_tokens)::text, 'null'),
      coalesce(cardinality(errors)::text, 'null'), coalesce(cardinality(pauses)::text, 'null'),
      coalesce(cardinality(permanent)::text, 'null')
      using errcode = 'UP006',
            detail = 'The five arrays have one element for each notification. An error is null, if the application '
              'took it, or 1 to 500 characters; a pause is null or up to 1 day.',
            hint = 'For one that was taken: finish_notifications(array[event_id], array[lease_token], '
              'array[null]::text[], array[null]::interval[], array[false]).';
  end if;

  return query
  with said as (
    select n.event_id, n.tries + 1 as tries, u.error, u.pause, u.permanent
      from unnest(event_ids, lease_tokens, errors, pauses, permanent)
             as u (event_id, lease_token, error, pause, permanent)
      join upload_pipeline.notifications as n on n.event_id = u.event_id
     where n.lease_token = u.lease_token
       for update of n skip locked
  ), judged as materialized (
    select s.event_id, s.tries, s.error,
           case
             when s.error is null then 'taken'
             -- The pauses before it are about 24 hours together.
             when s.permanent or s.tries >= 19 then 'dead'
             else 'waiting'
           end as state,
           greatest(s.pause, upload_pipeline.backoff(s.tries - 1, '5 seconds', '3 hours')) as pause
      from said as s
  ), ended as (
    update upload_pipeline.notifications as n
       set lease_token = null,
           tries = case when j.state = 'taken' then n.tries else j.tries end,
           error = coalesce(j.error, n.error),
           run_after = case when j.state = 'waiting' then v_now + j.pause end,
           taken_at = case when j.state = 'taken' then v_now end,
           dead_at = case when j.state = 'dead' then v_now end
      from judged as j
     where n.event_id = j.event_id
    returning n.event_id, n.job_id, n.version, j.state
  ), next as (
    select f.event_id
      from ended as e
      join upload_pipeline.notifications as f
        on f.job_id = e.job_id
       and f.version > e.version
       and f.run_after > v_now
       and f.tries = 0
       and f.lease_token is null
     where e.state <> 'waiting'
       for update of f skip locked
  ), followed as (
    update upload_pipeline.notifications as n
       set run_after = v_now
      from next
     where n.event_id = next.event_id
  )
  select e.event_id, e.state
    from ended as e;
end;
$$;

comment on function upload_pipeline.finish_notifications(uuid[], uuid[], text[], interval[], boolean[]) is
  'Says how the tries of claimed notifications ended. error null: the application took it. Else the next try is after '
  'a pause of 5 s x 2^tries, at most 3 h, or a longer one that the application asked for; the notification is dead '
  'after 19 failed tries, about a day, or at once if permanent. Answers each as taken, waiting or dead; there is no '
  'row for one whose lease is over or that is deleted. Raises UP006; 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.finish_notifications(uuid[], uuid[], text[], interval[], boolean[])
  from public;
grant execute on function upload_pipeline.finish_notifications(uuid[], uuid[], text[], interval[], boolean[])
  to hookline_worker;
