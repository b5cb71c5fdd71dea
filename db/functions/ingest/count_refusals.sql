-- Adds to the counts of this minute, and deletes rows that are older than 30 days. Any number of forged requests for
-- one reason adds one row a minute.
-- Locks: refusal. Calls: check_isolation, clock.
create or replace function upload_pipeline.count_refusals(refusals jsonb)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_minute constant timestamptz := date_trunc('minute', upload_pipeline.clock(), 'UTC');
  v_wrong text;
begin
  perform upload_pipeline.check_isolation();

  if refusals is null or jsonb_typeof(refusals) <> 'array' or jsonb_array_length(refusals) > 1000 then
    v_wrong := left(coalesce(refusals::text, 'null'), 200);
  else
    select left(one.refusal::text, 200) into v_wrong
      from jsonb_array_elements(refusals) as one (refusal)
     where (
             one.refusal ->> 'source' ~ '^[a-z][a-z0-9_]{0,62}$'
             and one.refusal ->> 'reason' ~ '^[a-z][a-z0-9_]{0,62}$'
             and one.refusal ->> 'count' ~ '^[1-9][0-9]{0,8}$'
             and coalesce(length(one.refusal ->> 'user_agent') <= 200, true)
           ) is not true
     limit 1;
  end if;
  if v_wrong is not null then
    raise exception 'refusals are invalid: %', v_wrong
      using errcode = 'UP006',
            detail = 'refusals is a JSON array of at most 1000 objects with source and reason, which are words of '
              'lowercase letters, digits and _; count, a whole number from 1 to 999999999; and user_agent, which is '
              'null or a text of at most 200 characters.',
            hint = 'For example: select upload_pipeline.count_refusals(''[{"source": "llamacloud", "reason": '
              '"no_match", "count": 3, "user_agent": "curl/8.5.0"}]'').';
  end if;

  insert into upload_pipeline.refused_deliveries as r (minute, source, reason, count, user_agent)
  select v_minute, one.refusal ->> 'source', one.refusal ->> 'reason', sum((one.refusal ->> 'count')::bigint),
         max(one.refusal ->> 'user_agent')
    from jsonb_array_elements(refusals) as one (refusal)
   group by one.refusal ->> 'source', one.refusal ->> 'reason'
   -- Two receivers at once lock the rows in the same order.
   order by one.refusal ->> 'source', one.refusal ->> 'reason'
  on conflict on constraint refused_deliveries_pkey do update
     set count = r.count + excluded.count,
         user_agent = coalesce(excluded.user_agent, r.user_agent);

  with due as (
    select r.minute, r.source, r.reason
      from upload_pipeline.refused_deliveries as r
     where r.minute < v_minute - interval '30 days'
     order by r.minute
     limit 1000
       for update skip locked
  )
  delete from upload_pipeline.refused_deliveries as r
   using due
   where r.minute = due.minute
     and r.source = due.source
     and r.reason = due.reason;
end;
$$;

comment on function upload_pipeline.count_refusals(jsonb) is
  'Call it every few seconds with the deliveries that were refused since the last call: a JSON array of objects with '
  'source, reason, count and user_agent (the last one, or null). The view refusal_log shows the sums. Raises UP006; '
  '55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.count_refusals(jsonb) from public;
grant execute on function upload_pipeline.count_refusals(jsonb) to hookline_ingest;
