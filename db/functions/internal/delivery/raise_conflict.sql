-- Changes nothing. Without this error, a second delivery with other content would count as a repetition of the first.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.raise_conflict(source text, delivery_id text, job_id uuid)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'delivery % of % came before, with other content', delivery_id, source
    using errcode = 'UP007',
          detail = coalesce('Job ' || job_id || ' took the first delivery with this id. ', '') ||
            'Nothing was changed.',
          hint = 'Send a new event with a delivery_id of its own.';
end;
$$;

comment on function upload_pipeline.raise_conflict(text, text, uuid) is
  'Refuses a delivery whose id was used before. Raises UP007.';

revoke all on function upload_pipeline.raise_conflict(text, text, uuid) from public;
