-- A raw file that was uploaded again meanwhile is a document's, whose own erasure will queue it.
-- Locks: deletion, skipping what others hold.
create or replace function upload_pipeline.claim_deletions(batch integer default 10)
returns table (path text, tries integer)
language sql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  -- The clock in a subquery, asked once, or the index cannot be used. A CTE, not a subquery: a nested loop would read that again and lock more than the batch.
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
  'Objects of erased documents whose turn has come: delete each, then call finish_deletion. What is not '
  'finished comes again later, with growing pauses.';

revoke all on function upload_pipeline.claim_deletions(integer) from public;
grant execute on function upload_pipeline.claim_deletions(integer) to hookline_ingest;
