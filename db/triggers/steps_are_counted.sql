-- Counts the events of each statement, whoever writes them. An insert without an index or a key waits for nobody. It is
-- an ordinary trigger: under session_replication_role = replica, activity_counts comes with the other tables.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.steps_are_counted()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into upload_pipeline.activity_counts (span, at, from_status, to_status, code, count)
  select 'new', date_trunc('minute', e.ts, 'UTC'), e.from_status, e.to_status, e.code, count(*)
    from written as e
   group by date_trunc('minute', e.ts, 'UTC'), e.from_status, e.to_status, e.code;

  return null;
end;
$$;

comment on function upload_pipeline.steps_are_counted() is 'Adds the events of a statement to activity_counts.';

revoke all on function upload_pipeline.steps_are_counted() from public;

create trigger steps_are_counted
  after insert on upload_pipeline.events
  referencing new table as written
  for each statement
  execute function upload_pipeline.steps_are_counted();
