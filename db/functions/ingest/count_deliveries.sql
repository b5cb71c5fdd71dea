-- Adds to the counts of this minute, by source and outcome. The receiver counts in memory, so that a delivery costs
-- Postgres nothing more.
-- Locks: none. Calls: check_isolation, clock.
create or replace function upload_pipeline.count_deliveries(deliveries jsonb)
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_wrong text;
begin
  perform upload_pipeline.check_isolation();

  if deliveries is null or jsonb_typeof(deliveries) <> 'array' or jsonb_array_length(deliveries) > 1000 then
    v_wrong := left(coalesce(deliveries::text, 'null'), 200);
  else
    select left(one.delivery::text, 200) into v_wrong
      from jsonb_array_elements(deliveries) as one (delivery)
     where (
             one.delivery ->> 'source' ~ '^[a-z][a-z0-9_]{0,62}$'
             and one.delivery ->> 'outcome' ~ '^[a-z][a-z0-9_]{0,62}$'
             and one.delivery ->> 'count' ~ '^[1-9][0-9]{0,8}$'
           ) is not true
     limit 1;
  end if;
  if v_wrong is not null then
    raise exception 'deliveries are invalid: %', v_wrong
      using errcode = 'UP006',
            detail = 'deliveries is a JSON array of at most 1000 objects with source and outcome, which are words of '
              'lowercase letters, digits and _, and count, a whole number from 1 to 999999999.',
            hint = 'For example: select upload_pipeline.count_deliveries(''[{"source": "llamacloud", "outcome": '
              '"applied", "count": 3}]'').';
  end if;

  insert into upload_pipeline.activity_counts (span, at, source, outcome, count)
  select 'new', date_trunc('minute', upload_pipeline.clock(), 'UTC'), one.delivery ->> 'source',
         one.delivery ->> 'outcome', (one.delivery ->> 'count')::bigint
    from jsonb_array_elements(deliveries) as one (delivery);
end;
$$;

comment on function upload_pipeline.count_deliveries(jsonb) is
  'Call it every few seconds with the deliveries that were accepted since the last call: a JSON array of objects with '
  'source, outcome (of their receipts) and count. The view delivery_activity shows the sums. Raises UP006, UP012.';

revoke all on function upload_pipeline.count_deliveries(jsonb) from public;
grant execute on function upload_pipeline.count_deliveries(jsonb) to hookline_ingest;
