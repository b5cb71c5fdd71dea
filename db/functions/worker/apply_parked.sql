-- Applies parked deliveries whose provider job is known. Normally record_submission does that; this finds what it
-- missed. It takes one provider job in each call, because that lock comes before all others.
-- Locks: provider job (advisory), document, job, delivery. Calls: apply_parked_reports, lock_job, lock_provider_job.
create or replace function upload_pipeline.apply_parked()
returns text
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_known record;
begin
  select p.parse_job_id, p.job_id into v_known
    from upload_pipeline.webhook_deliveries as d
    join upload_pipeline.provider_jobs as p on p.parse_job_id = d.parse_job_id
   where d.outcome = 'parked'
   limit 1;
  if not found then
    return null;
  end if;

  perform upload_pipeline.lock_provider_job(v_known.parse_job_id);
  -- The document may have been erased by now. Once it is locked, it cannot be.
  perform
    from upload_pipeline.upload_jobs as j
    join upload_pipeline.documents as d on d.document_id = j.document_id
   where j.job_id = v_known.job_id
     for key share of d;
  if found then
    perform upload_pipeline.lock_job(v_known.job_id);
    perform upload_pipeline.apply_parked_reports(v_known.parse_job_id, v_known.job_id);
  end if;

  return v_known.parse_job_id;
end;
$$;

comment on function upload_pipeline.apply_parked() is
  'Finds a provider job that is known although deliveries for it are still parked, applies them, and answers its '
  'id. Answers null if there is none: call again until then. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.apply_parked() from public;
grant execute on function upload_pipeline.apply_parked() to hookline_worker;
