-- Whoever writes run_after: a job whose time is to come is kept out of the index of claims. So every job in that index
-- is due, and a claim never has to read past jobs that are not. It is an ordinary trigger: under
-- session_replication_role = replica, the column comes with the row.
-- Locks: none. Calls: clock.
create or replace function upload_pipeline.later_jobs_are_scheduled()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  new.scheduled := new.run_after > upload_pipeline.clock();
  return new;
end;
$$;

comment on function upload_pipeline.later_jobs_are_scheduled() is
  'Sets `scheduled` of a job to whether its run_after is in the future.';

revoke all on function upload_pipeline.later_jobs_are_scheduled() from public;

create trigger later_jobs_are_scheduled
  before insert or update of run_after on upload_pipeline.upload_jobs
  for each row
  execute function upload_pipeline.later_jobs_are_scheduled();
