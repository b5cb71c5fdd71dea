create or replace view upload_pipeline.stage_latency as
select stay.status,
       count(*) as stays,
       percentile_cont(0.5) within group (order by stay.seconds) as p50_seconds,
       percentile_cont(0.95) within group (order by stay.seconds) as p95_seconds,
       percentile_cont(0.99) within group (order by stay.seconds) as p99_seconds
  from (
    select e.from_status as status,
           extract(epoch from e.ts - max(e.ts) filter (where e.from_status is distinct from e.to_status) over (
             partition by e.job_id
             order by e.version
             rows between unbounded preceding and 1 preceding
           )) as seconds,
           e.to_status
      from upload_pipeline.events as e
  ) as stay
 where stay.status <> stay.to_status
 group by stay.status;

comment on view upload_pipeline.stage_latency is
  'How long jobs stayed in a status before they left it, in seconds: percentiles over the whole history that is '
  'kept.';

revoke all on upload_pipeline.stage_latency from public;
grant select on upload_pipeline.stage_latency to hookline_reader;
