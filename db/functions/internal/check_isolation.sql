-- Refuses a transaction that keeps its snapshot. A function locks a row and then reads what happened before; in a
-- snapshot older than its lock it would not see what others have committed since, such as content that was kept.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.check_isolation()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_isolation text := current_setting('transaction_isolation');
begin
  -- Postgres treats read uncommitted as read committed.
  if v_isolation not in ('read committed', 'read uncommitted') then
    raise exception 'the transaction isolation is %', v_isolation
      using errcode = 'UP012',
            detail = 'The functions need read committed: each statement has to see what others have committed.',
            hint = 'Begin with: begin isolation level read committed. The default of this session may come from its '
              'role or database: alter role ... set default_transaction_isolation = ''read committed''.';
  end if;
end;
$$;

comment on function upload_pipeline.check_isolation() is
  'Refuses a transaction whose statements do not see what others have committed. Raises UP012.';

revoke all on function upload_pipeline.check_isolation() from public;
