-- Counts the repetition in the row of a delivery with content. Only an applied delivery blocks its repetition; a stale
-- or kept one is judged again. No sender gets the receipt of another job. take_deliveries does the same for deliveries
-- without content.
-- Locks: delivery. Calls: clock, raise_conflict, receipt_of.
create or replace function upload_pipeline.touch_applied_delivery(
  source text,
  delivery_id text,
  body_sha256 text,
  job_id uuid
)
returns upload_pipeline.receipt
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery record;
  v_job upload_pipeline.upload_jobs;
begin
  select d.job_id, d.body_sha256, d.content_ordinal into v_delivery
    from upload_pipeline.webhook_deliveries as d
   where d.source = touch_applied_delivery.source
     and d.delivery_id = touch_applied_delivery.delivery_id
     and d.outcome = 'applied';
  if not found then
    return null;
  end if;

  if v_delivery.job_id <> touch_applied_delivery.job_id
    or v_delivery.body_sha256 <> touch_applied_delivery.body_sha256
  then
    perform upload_pipeline.raise_conflict(
      touch_applied_delivery.source, touch_applied_delivery.delivery_id, v_delivery.job_id
    );
  end if;

  update upload_pipeline.webhook_deliveries as d
     set last_seen = upload_pipeline.clock(),
         times_seen = d.times_seen + 1
   where d.source = touch_applied_delivery.source
     and d.delivery_id = touch_applied_delivery.delivery_id;

  select j.* into v_job
    from upload_pipeline.upload_jobs as j
   where j.job_id = v_delivery.job_id;

  return upload_pipeline.receipt_of('duplicate', v_job, ordinal => v_delivery.content_ordinal);
end;
$$;

comment on function upload_pipeline.touch_applied_delivery(text, text, text, uuid) is
  'Counts a repetition of an applied delivery and answers the receipt `duplicate`. Answers null if no such '
  'delivery was applied. Raises UP007.';

revoke all on function upload_pipeline.touch_applied_delivery(text, text, text, uuid) from public;
