-- Remembers which attempt a provider job is of and applies what was parked for it. An attempt that was only
-- inferred from a callback gives way to the one that was submitted. The caller holds the provider job's lock.
-- Locks: job, deliveries.
create or replace function upload_pipeline.link_provider_job(
  parse_job_id text,
  job_id uuid,
  attempt integer,
  submitted boolean default false
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery record;
  v_event upload_pipeline.events;
begin
  if link_provider_job.parse_job_id is null then
    return;
  end if;

  insert into upload_pipeline.provider_jobs as p (parse_job_id, job_id, attempt)
  values (link_provider_job.parse_job_id, link_provider_job.job_id, link_provider_job.attempt)
  on conflict on constraint provider_jobs_pkey do update
     set attempt = excluded.attempt
   where link_provider_job.submitted
     and p.attempt <> excluded.attempt;

  for v_delivery in
    select d.source, d.delivery_id, d.code, d.payload, d.correlation_id
      from upload_pipeline.webhook_deliveries as d
     where d.parse_job_id = link_provider_job.parse_job_id
       and d.outcome = 'parked'
     order by d.first_seen
       for no key update
  loop
    v_event := upload_pipeline.apply_report(
      job => upload_pipeline.lock_job(link_provider_job.job_id),
      code => v_delivery.code,
      attempt => link_provider_job.attempt,
      parse_job_id => link_provider_job.parse_job_id,
      payload => v_delivery.payload,
      correlation_id => v_delivery.correlation_id
    );

    update upload_pipeline.webhook_deliveries as d
       set outcome = case when v_event.event_id is null then 'stale' else 'applied' end,
           job_id = link_provider_job.job_id
     where d.source = v_delivery.source
       and d.delivery_id = v_delivery.delivery_id;
  end loop;
end;
$$;

comment on function upload_pipeline.link_provider_job(text, uuid, integer, boolean) is
  'Remembers which attempt a provider job is of and applies the deliveries that were parked for it, in the order '
  'in which they came. Null: nothing.';

revoke all on function upload_pipeline.link_provider_job(text, uuid, integer, boolean) from public;
