-- Claims objects for deletion: counts a try and moves run_after. Until claimed_until the caller may delete the
-- object, and no document gets its path (cancel_deletion). That is longer than any deadline of the storage, so the
-- next claim finds this try over. If a document has a path, because its file was uploaded again or is shared, the
-- path leaves the queue; erasing that document will queue it again. If run_after is later than any pause allows, a
-- clock that was ahead has set it. The row is then due, too.
-- Locks: raw path (advisory; skipped if a new document is about to have it), deletion (skip locked).
-- Calls: backoff, check_isolation, clock.
create or replace function upload_pipeline.claim_deletions(batch integer default 10)
returns table (path text, tries integer)
language sql
security definer
set search_path = pg_catalog, pg_temp
-- A plan made while the tables were small has to suit large ones. Before Postgres 18, a plan that reads a table whole
-- all the same looks so expensive that Postgres would compile it.
set enable_seqscan = off
set jit = off
set lock_timeout = '2s'
as $$
  select upload_pipeline.check_isolation();

  -- The clock is read once, in a subquery, or the index cannot be used. The rows are chosen in a CTE, because a nested
  -- loop could run a subquery again and lock more rows than batch.
  with due as (
    select e.path
      from upload_pipeline.deletions as e
     where e.run_after <= (select upload_pipeline.clock())
     order by e.run_after
     limit least(greatest(coalesce(claim_deletions.batch, 1), 1), 1000)
       for update skip locked
  ), put_off as (
    select e.path
      from upload_pipeline.deletions as e
     where e.run_after > (select upload_pipeline.clock()) + interval '10 minutes'
       and not exists (select from due)
     order by e.run_after
     limit least(greatest(coalesce(claim_deletions.batch, 1), 1), 1000)
       for update skip locked
  ), judged as materialized (
    select o.path,
           pg_try_advisory_xact_lock(hashtextextended(o.path, 1)) as locked,
           exists (select from upload_pipeline.documents as n where n.raw_path = o.path) as needed
      from (
        select due.path from due
        union all
        select put_off.path from put_off
      ) as o
  ), dropped as (
    -- A document has the path, because the raw file was uploaded again or is shared. Erasing that document queues it.
    delete from upload_pipeline.deletions as d
     using judged
     where d.path = judged.path
       and judged.needed
  )
  update upload_pipeline.deletions as d
     set tries = d.tries + 1,
         claimed_until = upload_pipeline.clock() + interval '1 minute',
         run_after = upload_pipeline.clock() + interval '1 minute' + upload_pipeline.backoff(d.tries)
    from judged
   where d.path = judged.path
     and judged.locked
     and not judged.needed
  returning d.path, d.tries;
$$;

comment on function upload_pipeline.claim_deletions(integer) is
  'Claims up to `batch` objects that are due for deletion. Delete each from storage within a minute, then call '
  'finish_deletion. A deletion that is not finished is due again later; the pause grows with each try. Raises 55P03 '
  'after waiting 2 s for a lock.';

revoke all on function upload_pipeline.claim_deletions(integer) from public;
grant execute on function upload_pipeline.claim_deletions(integer) to hookline_ingest;
