-- Drops the bytes of content of unknown shape and gives its delivery the outcome ignored.
-- Locks: job, content, delivery. Calls: drop_unrecognised_content, lock_job, receipt_of, record_action.
create or replace function upload_pipeline.discard_content(job_id uuid, ordinal integer, reason text default null)
returns upload_pipeline.receipt
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
as $$
declare
  v_job upload_pipeline.upload_jobs := upload_pipeline.lock_job(job_id);
begin
  perform upload_pipeline.drop_unrecognised_content(job_id, ordinal);

  update upload_pipeline.webhook_deliveries as d
     set outcome = 'ignored'
   where d.job_id = discard_content.job_id
     and d.content_ordinal = discard_content.ordinal
     and d.outcome = 'unrecognised';

  perform upload_pipeline.record_action(
    'discard_content', discard_content.reason, id => discard_content.job_id,
    details => jsonb_build_object('ordinal', ordinal)
  );

  return upload_pipeline.receipt_of('applied', v_job, ordinal => ordinal);
end;
$$;

comment on function upload_pipeline.discard_content(uuid, integer, text) is
  'Decides on content of unknown shape: it is of no use, and its bytes are dropped. Outcome: applied. Raises '
  'UP001.';

revoke all on function upload_pipeline.discard_content(uuid, integer, text) from public;
grant execute on function upload_pipeline.discard_content(uuid, integer, text) to hookline_operator;
