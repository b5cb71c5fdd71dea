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
    raise exception 'job % has no undecided content %', drop_unrecognised_content.job_id, drop_unrecognised_content.ordinal
      using errcode = 'UP001',
            detail = 'Undecided is content of unknown shape, until it is accepted or discarded.',
            hint = 'See upload_pipeline.delivery_log where outcome = ''unrecognised''.';
  end if;

  return v_content;
end;
$$;

comment on function upload_pipeline.drop_unrecognised_content(uuid, integer) is
  'Drops the bytes of content of unknown shape, once. Raises UP001.';

revoke all on function upload_pipeline.drop_unrecognised_content(uuid, integer) from public;
