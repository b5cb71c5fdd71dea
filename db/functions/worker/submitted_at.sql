-- Changes nothing. Not every provider says when its job began, so a worker asks how long we have known it.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.submitted_at(provider text, parse_job_id text)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
  select p.recorded_at
    from upload_pipeline.provider_jobs as p
   where p.parse_job_id = submitted_at.parse_job_id
     and p.provider = submitted_at.provider;
$$;

comment on function upload_pipeline.submitted_at(text, text) is
  'When the provider job was recorded, by the clock of Postgres. Null: it is unknown. Raises 55P03 after waiting 2 s '
  'for a lock.';

revoke all on function upload_pipeline.submitted_at(text, text) from public;
grant execute on function upload_pipeline.submitted_at(text, text) to hookline_worker;
