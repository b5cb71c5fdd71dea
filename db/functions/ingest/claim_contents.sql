-- Claims contents that wait for storage: counts a try and moves run_after, until which the rows stay claimed. No
-- fencing token is needed, because two writers of one row write the same bytes to the same path. If run_after is later
-- than any pause allows, a clock that was ahead has set it. The row is then due, too.
-- Locks: content (skip locked). Calls: backoff, check_isolation, clock.
create or replace function upload_pipeline.claim_contents(batch integer default 1)
returns table (job_id uuid, ordinal integer, path text, content bytea, content_sha256 text, tries integer)
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
    select d.job_id, d.ordinal
      from upload_pipeline.contents as d
     where d.path is not null
       and d.stored_at is null
       and d.run_after is not null
       and d.run_after <= (select upload_pipeline.clock())
     order by d.run_after
     limit greatest(coalesce(claim_contents.batch, 1), 1)
       for no key update skip locked
  ),
  put_off as (
    select d.job_id, d.ordinal
      from upload_pipeline.contents as d
     where d.path is not null
       and d.stored_at is null
       and d.run_after > (select upload_pipeline.clock()) + interval '10 minutes'
       and not exists (select from due)
     order by d.run_after
     limit greatest(coalesce(claim_contents.batch, 1), 1)
       for no key update skip locked
  )
  update upload_pipeline.contents as c
     set tries = c.tries + 1,
         run_after = upload_pipeline.clock() + interval '30 seconds' + upload_pipeline.backoff(c.tries)
    from (
      select due.job_id, due.ordinal from due
      union all
      select put_off.job_id, put_off.ordinal from put_off
    ) as o
   where c.job_id = o.job_id
     and c.ordinal = o.ordinal
  returning c.job_id, c.ordinal, c.path, c.content, c.content_sha256, c.tries;
$$;

comment on function upload_pipeline.claim_contents(integer) is
  'Claims up to `batch` contents that are due, oldest first. Write each at its path, then call finish_content. If '
  'content is null, its writer has ended: if storage has an object of this hash at the path, call finish_content, else '
  'abandon_content. A content that is not finished is due again later; the pause grows with each try.';

revoke all on function upload_pipeline.claim_contents(integer) from public;
grant execute on function upload_pipeline.claim_contents(integer) to hookline_ingest;
