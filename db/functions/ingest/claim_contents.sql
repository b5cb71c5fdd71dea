-- The drain's work. Whoever claims has the next try to himself until run_after; two who write at once
-- write the same bytes at the same path, so no fencing token is needed.
-- Locks: content, skipping what others hold.
create or replace function upload_pipeline.claim_contents(batch integer default 1)
returns table (job_id uuid, ordinal integer, path text, content bytea, tries integer)
language sql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
  -- The clock in a subquery, asked once, or the index cannot be used. A CTE, not a subquery: a nested loop would read that again and lock more than the batch.
  with due as (
    select d.job_id, d.ordinal
      from upload_pipeline.contents as d
     where d.path is not null
       and d.stored_at is null
       and d.run_after <= (select upload_pipeline.clock())
     order by d.run_after
     limit greatest(coalesce(claim_contents.batch, 1), 1)
       for no key update skip locked
  )
  update upload_pipeline.contents as c
     set tries = c.tries + 1,
         run_after = upload_pipeline.clock() + interval '30 seconds' + upload_pipeline.backoff(c.tries)
    from due
   where c.job_id = due.job_id
     and c.ordinal = due.ordinal
  returning c.job_id, c.ordinal, c.path, c.content, c.tries;
$$;

comment on function upload_pipeline.claim_contents(integer) is
  'Kept content whose turn has come, oldest first: write each at its path, then call finish_content. What is '
  'not finished comes again later, with growing pauses.';

revoke all on function upload_pipeline.claim_contents(integer) from public;
grant execute on function upload_pipeline.claim_contents(integer) to hookline_ingest;
