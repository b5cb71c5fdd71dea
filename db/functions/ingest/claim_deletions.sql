-- Claims objects for deletion: counts a try and moves run_after. If a document needs a path again, because its file
-- was uploaded again, the path leaves the queue; erasing that document will queue it again.
-- Locks: deletion (skip locked). Calls: backoff, clock.
create or replace function upload_pipeline.claim_deletions(batch integer default 10)
returns table (path text, tries integer)
language sql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  -- The clock is read once, in a subquery, or the index cannot be used. The rows are chosen in a CTE, because a nested
  -- loop could run a subquery again and lock more rows than batch.
  with due as (
    select e.path
      from upload_pipeline.deletions as e
     where e.run_after <= (select upload_pipeline.clock())
     order by e.run_after
     limit greatest(coalesce(claim_deletions.batch, 1), 1)
       for update skip locked
  ), needed as (
    delete from upload_pipeline.deletions as d
     using due
     where d.path = due.path
       and exists (select from upload_pipeline.documents as n where n.raw_path = d.path)
  )
  update upload_pipeline.deletions as d
     set tries = d.tries + 1,
         run_after = upload_pipeline.clock() + interval '30 seconds' + upload_pipeline.backoff(d.tries)
    from due
   where d.path = due.path
     and not exists (select from upload_pipeline.documents as n where n.raw_path = d.path)
  returning d.path, d.tries;
$$;

comment on function upload_pipeline.claim_deletions(integer) is
  'Claims up to `batch` objects that are due for deletion. Delete each from storage, then call finish_deletion. A '
  'deletion that is not finished is due again later; the pause grows with each try.';

revoke all on function upload_pipeline.claim_deletions(integer) from public;
grant execute on function upload_pipeline.claim_deletions(integer) to hookline_ingest;
