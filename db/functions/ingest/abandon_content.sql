-- Takes awaited content out of the drain's queue, because its writer has ended and storage does not have its object.
-- The row stays, so that its path is not given out twice. A late writer can still finish the content, and so can a new
-- delivery of it.
-- Locks: content. Calls: check_isolation.
create or replace function upload_pipeline.abandon_content(job_id uuid, ordinal integer)
returns void
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

  update upload_pipeline.contents as c
     set run_after = null
   where c.job_id = abandon_content.job_id
     and c.ordinal = abandon_content.ordinal
     and c.path is not null
     and c.content is null
     -- The same content has not come once more since it was claimed.
     and c.tries > 0
     and c.stored_at is null;
$$;

comment on function upload_pipeline.abandon_content(uuid, integer) is
  'Call it when claim_contents gave content without bytes, and storage has no object of its hash. The content has to '
  'come again: from the sender, or from the provider when the job is overdue. Changes nothing if the bytes are '
  'here, or if the content has come once more since it was claimed.';

revoke all on function upload_pipeline.abandon_content(uuid, integer) from public;
grant execute on function upload_pipeline.abandon_content(uuid, integer) to hookline_ingest;
