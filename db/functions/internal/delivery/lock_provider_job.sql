-- A delivery parks while the submission commits its provider id: each looks for the other's row and both
-- miss. This lock puts one before the other. It is the first lock that anybody takes.
create or replace function upload_pipeline.lock_provider_job(parse_job_id text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if parse_job_id is not null then
    perform pg_advisory_xact_lock(hashtextextended(parse_job_id, 0));
  end if;
end;
$$;

comment on function upload_pipeline.lock_provider_job(text) is
  'Serialises, until the transaction ends, all who deal with one provider job. Null: no lock.';

revoke all on function upload_pipeline.lock_provider_job(text) from public;
