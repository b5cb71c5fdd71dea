-- Counts the repetition in the row of the delivery. Only an applied delivery blocks its repetition; a parked, stale
-- or kept one is judged again. Two thin events are the same if their type and provider job are the same, because
-- providers may serialise a retry differently. No sender gets the receipt of another job.
-- Locks: delivery. Calls: clock, receipt_of.
create or replace function upload_pipeline.touch_applied_delivery(
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  job_id uuid,
  parse_job_id text,
  with_content boolean
)
returns upload_pipeline.receipt
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delivery record;
  v_job upload_pipeline.upload_jobs;
begin
  select d.job_id, d.body_sha256, d.event_type, d.parse_job_id, d.content_ordinal into v_delivery
    from upload_pipeline.webhook_deliveries as d
   where d.source = touch_applied_delivery.source
     and d.delivery_id = touch_applied_delivery.delivery_id
     and d.outcome = 'applied';
  if not found then
    return null;
  end if;

  if v_delivery.job_id <> touch_applied_delivery.job_id
    or v_delivery.body_sha256 <> touch_applied_delivery.body_sha256 and not (
      v_delivery.content_ordinal is null
      and not touch_applied_delivery.with_content
      and v_delivery.event_type = touch_applied_delivery.event_type
      and v_delivery.parse_job_id is not distinct from touch_applied_delivery.parse_job_id
      and v_delivery.parse_job_id is not null
    )
  then
    raise exception 'delivery % of % was applied before, with other content',
      touch_applied_delivery.delivery_id, touch_applied_delivery.source
      using errcode = 'UP007',
            detail = format('Job %s took the first delivery with this id. Nothing was changed.', v_delivery.job_id),
            hint = 'Send a new event with a delivery_id of its own.';
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

comment on function upload_pipeline.touch_applied_delivery(text, text, text, text, uuid, text, boolean) is
  'Counts a repetition of an applied delivery and answers the receipt `duplicate`. Answers null if no such '
  'delivery was applied. Raises UP007.';

revoke all on function upload_pipeline.touch_applied_delivery(text, text, text, text, uuid, text, boolean) from public;
