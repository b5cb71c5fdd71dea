-- Refuses statuses of which none is initial. It runs at commit, so that `initial` can move from one status to another
-- within a transaction. The unique index one_initial_status refuses a second one.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.one_status_is_initial()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from upload_pipeline.statuses as s where s.initial) then
    raise exception 'none of the % statuses is initial', (select count(*) from upload_pipeline.statuses)
      using errcode = 'UP011',
            detail = 'A new job starts in the initial status. There must be one at the end of each transaction.',
            hint = 'Move it in one transaction: set initial = false where it is true, then initial = true for another '
              'status.';
  end if;

  return null;
end;
$$;

comment on function upload_pipeline.one_status_is_initial() is
  'Refuses, at commit, statuses of which none is initial (UP011).';

revoke all on function upload_pipeline.one_status_is_initial() from public;

create constraint trigger one_status_is_initial
  after insert or update of initial or delete on upload_pipeline.statuses
  deferrable initially deferred
  for each row
  execute function upload_pipeline.one_status_is_initial();

alter table upload_pipeline.statuses enable always trigger one_status_is_initial;
