create or replace view upload_pipeline.stage_latency as
with recent as materialized (
  select j.job_id
    from upload_pipeline.upload_jobs as j
   order by j.updated_at desc
   limit 1000
)
select stay.status,
       count(*) as stays,
       percentile_cont(0.5) within group (order by stay.seconds) as p50_seconds,
       percentile_cont(0.95) within group (order by stay.seconds) as p95_seconds,
       percentile_cont(0.99) within group (order by stay.seconds) as p99_seconds
  from recent
  -- Lateral: the history of each job is found by its key, never by reading all events.
  cross join lateral (
    select e.from_status as status,
           extract(epoch from e.ts - max(e.ts) filter (where e.from_status is distinct from e.to_status) over (
             order by e.version
             rows between unbounded preceding and 1 preceding
           )) as seconds,
           e.to_status
      from upload_pipeline.events as e
     where e.job_id = recent.job_id
  ) as stay
 where stay.status <> stay.to_status
 group by stay.status;

comment on view upload_pipeline.stage_latency is
  'How long jobs stayed in a status before they left it, in seconds: percentiles over the 1,000 jobs that took a step '
  'last.';

revoke all on upload_pipeline.stage_latency from public;
grant select on upload_pipeline.stage_latency to hookline_reader;
