-- Changes nothing. A delivery may be parked while the submission commits its provider id: each would look for the row
-- of the other and miss it. This advisory lock puts one before the other. It is the first lock that any function
-- takes.
-- Locks: provider job (advisory). Calls: check_isolation.
create or replace function upload_pipeline.lock_provider_job(parse_job_id text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform upload_pipeline.check_isolation();

  if parse_job_id is not null then
    perform pg_advisory_xact_lock(hashtextextended(parse_job_id, 0));
  end if;
end;
$$;

comment on function upload_pipeline.lock_provider_job(text) is
  'Makes all transactions that deal with one provider job run one after the other. Takes no lock if parse_job_id '
  'is null. Raises UP012.';

revoke all on function upload_pipeline.lock_provider_job(text) from public;
