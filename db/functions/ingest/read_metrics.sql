-- Changes nothing. The numbers for Prometheus, from the views: the roles of receivers and workers cannot read these.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.read_metrics()
returns table (metric text, labels jsonb, value double precision)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  select 'jobs', jsonb_build_object('status', c.status), c.jobs::double precision
    from upload_pipeline.status_counts as c
  union all
  select 'steps', jsonb_build_object('status', a.to_status, 'code', a.code), sum(a.count)
    from upload_pipeline.activity_counts as a
   where a.code is not null
   group by a.to_status, a.code
  union all
  select 'deliveries', jsonb_build_object('source', a.source, 'outcome', a.outcome), sum(a.count)
    from upload_pipeline.activity_counts as a
   where a.source is not null
   group by a.source, a.outcome
  union all
  select n.metric, jsonb_build_object('queue', q.queue), n.value
    from upload_pipeline.queue_health as q
   cross join lateral (
     values ('queue_items', q.waiting::double precision),
            ('queue_leased', q.leased),
            ('queue_leases_expired', q.lease_expired),
            ('queue_overdue', q.overdue),
            ('queue_oldest_seconds', coalesce(date_part('epoch', q.oldest), 0))
   ) as n (metric, value)
   where q.queue not like 'source: %'
  union all
  select 'source_silence_seconds', jsonb_build_object('source', substr(q.queue, 9)), date_part('epoch', q.oldest)
    from upload_pipeline.queue_health as q
   where q.queue like 'source: %'
  union all
  select n.metric, jsonb_build_object('provider', c.provider, 'period', c.period), n.value
    from upload_pipeline.credit_status as c
   cross join lateral (values ('credits_used', c.used), ('credits_cap', c.credits)) as n (metric, value)
   where c.scope = 'all'
  union all
  -- Of those that failed last. So it reads few rows, whatever their number: see jobs for that.
  select 'dead_letters', jsonb_build_object('code', coalesce(left(f.code, 100), 'unknown')), count(*)
    from (
      select j.last_error ->> 'code' as code
        from upload_pipeline.upload_jobs as j
       where j.failed
       order by j.updated_at desc
       limit 1000
    ) as f
   group by coalesce(left(f.code, 100), 'unknown')
  union all
  select 'alerts', jsonb_build_object('alert', a.alert, 'severity', a.severity), count(*)
    from upload_pipeline.alerts as a
   group by a.alert, a.severity;
$$;

comment on function upload_pipeline.read_metrics() is
  'The numbers that receivers and workers show to Prometheus: one row for each metric and its labels, without any id. '
  'steps and deliveries only grow, apart from a recount. Changes nothing.';

revoke all on function upload_pipeline.read_metrics() from public;
grant execute on function upload_pipeline.read_metrics() to hookline_ingest, hookline_reader;
