-- Writes one row of webhook_deliveries. It is called last, when the outcome is known. A delivery that was applied, or
-- that belongs to another job, is not overwritten: that would be one id with two contents.
-- Locks: delivery. Calls: clock, raise_conflict.
create or replace function upload_pipeline.record_delivery(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  outcome text,
  job_id uuid,
  content_ordinal integer,
  parse_job_id text,
  code text,
  payload jsonb,
  correlation_id text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into upload_pipeline.webhook_deliveries as d (
    source, delivery_id, body_sha256, event_type, outcome, job_id, content_ordinal, parse_job_id, code,
    payload, correlation_id, check_after
  ) values (
    record_delivery.source, record_delivery.delivery_id, record_delivery.body_sha256,
    record_delivery.event_type, record_delivery.outcome, record_delivery.job_id,
    record_delivery.content_ordinal, record_delivery.parse_job_id, record_delivery.code,
    record_delivery.payload, record_delivery.correlation_id,
    case when record_delivery.outcome = 'parked' then upload_pipeline.clock() end
  )
  on conflict on constraint webhook_deliveries_pkey do update
     set last_seen = excluded.last_seen,
         times_seen = d.times_seen + 1,
         body_sha256 = excluded.body_sha256,
         event_type = excluded.event_type,
         outcome = excluded.outcome,
         job_id = excluded.job_id,
         content_ordinal = excluded.content_ordinal,
         parse_job_id = excluded.parse_job_id,
         code = excluded.code,
         payload = excluded.payload,
         correlation_id = excluded.correlation_id,
         check_after = excluded.check_after
   where d.outcome <> 'applied'
     and (d.job_id is null or d.job_id is not distinct from excluded.job_id);

  if not found then
    perform upload_pipeline.raise_conflict(record_delivery.source, record_delivery.delivery_id, null);
  end if;
end;
$$;

comment on function upload_pipeline.record_delivery(
  text, text, text, text, text, uuid, integer, text, text, jsonb, text
) is 'Writes a delivery with its outcome. Raises UP007.';

revoke all on function upload_pipeline.record_delivery(
  text, text, text, text, text, uuid, integer, text, text, jsonb, text
) from public;
