-- Changes nothing.
-- Locks: none. Calls: none.
create or replace function upload_pipeline.read_content(job_id uuid, ordinal integer)
returns bytea
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_content bytea;
begin
  select c.content into v_content
    from upload_pipeline.contents as c
   where c.job_id = read_content.job_id
     and c.ordinal = read_content.ordinal
     and c.content is not null;
  if not found then
    raise exception 'job % has no content % in Postgres', read_content.job_id, read_content.ordinal
      using errcode = 'UP001',
            detail = 'Only content that waits for storage or for a decision is in Postgres.',
            hint = 'Read stored content from storage, at parsed_path of upload_pipeline.job_overview.';
  end if;

  return v_content;
end;
$$;

comment on function upload_pipeline.read_content(uuid, integer) is
  'The bytes of content that waits for storage or for a decision. Raises UP001.';

revoke all on function upload_pipeline.read_content(uuid, integer) from public;
grant execute on function upload_pipeline.read_content(uuid, integer) to hookline_operator;
