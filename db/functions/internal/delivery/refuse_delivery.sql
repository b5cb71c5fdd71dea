-- Changes nothing. take_deliveries only says that a delivery is refused; this function finds out why. Few deliveries
-- are refused.
-- Locks: document (if a report is parked), job. Calls: check_delivery_arguments, lock_answered_job,
-- provider_of, raise_conflict.
create or replace function upload_pipeline.refuse_delivery(delivery upload_pipeline.delivery)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job_id uuid := coalesce(delivery.job_id, (
    select p.job_id
      from upload_pipeline.provider_jobs as p
     where p.parse_job_id = delivery.parse_job_id
       and p.provider = upload_pipeline.provider_of(delivery.source)
  ));
begin
  perform upload_pipeline.check_delivery_arguments(
    delivery.source, delivery.delivery_id, delivery.body_sha256, delivery.event_type, delivery.code, delivery.job_id,
    delivery.parse_job_id, delivery.payload, delivery.correlation_id, false, delivery.attempt
  );
  if delivery.code is not null and v_job_id is not null then
    perform upload_pipeline.lock_answered_job(
      v_job_id, delivery.document_id, upload_pipeline.provider_of(delivery.source), delivery.parse_job_id
    );
  end if;

  select w.job_id into v_job_id
    from upload_pipeline.webhook_deliveries as w
   where w.source = delivery.source
     and w.delivery_id = delivery.delivery_id;
  perform upload_pipeline.raise_conflict(delivery.source, delivery.delivery_id, v_job_id);
end;
$$;

comment on function upload_pipeline.refuse_delivery(upload_pipeline.delivery) is
  'Raises why a delivery is refused: UP001, UP004, UP006, UP007.';

revoke all on function upload_pipeline.refuse_delivery(upload_pipeline.delivery) from public;
