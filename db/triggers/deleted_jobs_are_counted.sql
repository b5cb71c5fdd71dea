-- Takes deleted jobs out of the number of jobs in their status: a purge, an erasure, or a delete by hand.
-- Locks: none. Calls: clock.
create or replace function upload_pipeline.deleted_jobs_are_counted()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into upload_pipeline.activity_counts (span, at, from_status, count)
  select 'new', date_trunc('minute', upload_pipeline.clock(), 'UTC'), j.status, count(*)
    from deleted as j
   group by j.status;

  return null;
end;
$$;

comment on function upload_pipeline.deleted_jobs_are_counted() is
  'Adds the jobs that a statement deletes to activity_counts.';

revoke all on function upload_pipeline.deleted_jobs_are_counted() from public;

create trigger deleted_jobs_are_counted
  after delete on upload_pipeline.upload_jobs
  referencing old table as deleted
  for each statement
  execute function upload_pipeline.deleted_jobs_are_counted();
