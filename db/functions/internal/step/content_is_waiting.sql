-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.content_is_waiting(job_id uuid, attempt integer)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
      from upload_pipeline.contents as c
     where c.job_id = content_is_waiting.job_id
       and c.attempt >= content_is_waiting.attempt
       and c.path is not null
       and c.stored_at is null
       and c.run_after is not null
  );
$$;

comment on function upload_pipeline.content_is_waiting(uuid, integer) is
  'True while content of this attempt, or of a later one, waits to be stored. It is paid for, and the drain will '
  'finish it, so nobody begins another attempt.';

revoke all on function upload_pipeline.content_is_waiting(uuid, integer) from public;
