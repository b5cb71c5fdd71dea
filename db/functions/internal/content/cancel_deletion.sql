-- Deletes the row of deletions for a path that a document or an artifact is about to have. The lock on the path lasts
-- until the transaction ends, so that nobody claims the deletion of an object whose row is not committed yet.
-- Locks: raw path (advisory), deletion. Calls: clock, in_utc.
create or replace function upload_pipeline.cancel_deletion(path text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claimed_until timestamptz;
begin
  perform pg_advisory_xact_lock(hashtextextended(cancel_deletion.path, 1));

  delete from upload_pipeline.deletions as d
   where d.path = cancel_deletion.path
     and coalesce(d.claimed_until <= upload_pipeline.clock(), true);

  select d.claimed_until into v_claimed_until
    from upload_pipeline.deletions as d
   where d.path = cancel_deletion.path;
  if found then
    raise exception 'the object % is being deleted', quote_literal(left(cancel_deletion.path, 200))
      using errcode = 'UP020',
            detail = format(
              'Nothing needed it any more. Its deletion may be under way until %s. Nothing was changed.',
              upload_pipeline.in_utc(v_claimed_until)
            ),
            hint = 'Call again in a minute, then upload the file, or use another path.';
  end if;
end;
$$;

comment on function upload_pipeline.cancel_deletion(text) is
  'Takes a path off the deletion queue, because it is needed again. Raises UP020 while its deletion may be under way.';

revoke all on function upload_pipeline.cancel_deletion(text) from public;
