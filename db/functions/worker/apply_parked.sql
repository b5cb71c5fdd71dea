-- Normally the submission that names a provider job applies what was parked for it. What that missed is found here.
-- One provider job a call, for its lock comes before all others. Locks: provider job (advisory), document, job, deliveries.
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
  -- Its document may be erased by now; from here on it cannot be.
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
  'Applies the deliveries that are parked although their provider job is known, of one provider job; answers its id, '
  'null if there is none. Call again until null. Raises 55P03 after waiting 2 s for a lock.';

revoke all on function upload_pipeline.apply_parked() from public;
grant execute on function upload_pipeline.apply_parked() to hookline_worker;
