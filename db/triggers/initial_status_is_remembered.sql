-- Keeps was_initial true once a status was initial. Histories that began there stay valid when `initial` moves on.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.initial_status_is_remembered()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  new.was_initial := new.initial or new.was_initial or tg_op = 'UPDATE' and old.was_initial;
  return new;
end;
$$;

comment on function upload_pipeline.initial_status_is_remembered() is
  'Sets was_initial of a status that is initial, and keeps it for ever.';

revoke all on function upload_pipeline.initial_status_is_remembered() from public;

create trigger initial_status_is_remembered
  before insert or update on upload_pipeline.statuses
  for each row
  execute function upload_pipeline.initial_status_is_remembered();

alter table upload_pipeline.statuses enable always trigger initial_status_is_remembered;
