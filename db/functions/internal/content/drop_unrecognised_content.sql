-- Drops the bytes of one row of contents. Content of unknown shape has bytes but no path, and waits until an operator
-- accepts or discards it, once.
-- Locks: content. Calls: none.
create or replace function upload_pipeline.drop_unrecognised_content(job_id uuid, ordinal integer)
returns upload_pipeline.contents
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_content upload_pipeline.contents;
begin
  update upload_pipeline.contents as c
     set content = null
   where c.job_id = drop_unrecognised_content.job_id
     and c.ordinal = drop_unrecognised_content.ordinal
     and c.path is null
     and c.content is not null
  returning c.* into v_content;
  if not found then
    raise exception 'job % has no content % that waits for a decision',
      drop_unrecognised_content.job_id, drop_unrecognised_content.ordinal
      using errcode = 'UP001',
            detail = 'Content of unknown shape waits for a decision until it is accepted or discarded.',
            hint = 'Take both from upload_pipeline.delivery_log where outcome = ''unrecognised''.';
  end if;

  return v_content;
end;
$$;

comment on function upload_pipeline.drop_unrecognised_content(uuid, integer) is
  'Drops the bytes of content that waits for a decision, and answers its row. Raises UP001.';

revoke all on function upload_pipeline.drop_unrecognised_content(uuid, integer) from public;
