-- Moves the job by each parked delivery and gives the deliveries their outcome. The caller holds the lock of the
-- provider job.
-- Locks: job, deletion, artifact, provider request, delivery. Calls: apply_report, lock_job, provider_of.
create or replace function upload_pipeline.apply_parked_reports(provider text, parse_job_id text, job_id uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery record;
  v_event upload_pipeline.events;
begin
  for v_delivery in
    select d.source, d.delivery_id, d.code, d.payload, d.correlation_id
      from upload_pipeline.webhook_deliveries as d
     where d.parse_job_id = apply_parked_reports.parse_job_id
       and upload_pipeline.provider_of(d.source) = apply_parked_reports.provider
       and d.job_id is null
       and d.outcome = 'parked'
     order by d.first_seen, d.source, d.delivery_id
       for no key update
  loop
    v_event := upload_pipeline.apply_report(
      job => upload_pipeline.lock_job(apply_parked_reports.job_id),
      code => v_delivery.code,
      provider => apply_parked_reports.provider,
      parse_job_id => apply_parked_reports.parse_job_id,
      payload => v_delivery.payload,
      correlation_id => v_delivery.correlation_id
    );

    update upload_pipeline.webhook_deliveries as d
       set outcome = case when v_event.event_id is null then 'stale' else 'applied' end,
           job_id = apply_parked_reports.job_id
     where d.source = v_delivery.source
       and d.delivery_id = v_delivery.delivery_id;
  end loop;
end;
$$;

comment on function upload_pipeline.apply_parked_reports(text, text, uuid) is
  'Applies the deliveries that were parked for a provider job to the job that it belongs to, in order of arrival.';

revoke all on function upload_pipeline.apply_parked_reports(text, text, uuid) from public;
