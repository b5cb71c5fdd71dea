-- Supabase's advisors warn of every function without a search_path (lint 0011). These functions have bodies in standard
-- SQL and need none. Without one, the planner can inline them. On Supabase, having no warnings is worth more than that.
do $$
begin
  if to_regnamespace('hookline_api') is null then
    return;
  end if;

  alter function upload_pipeline.clock() set search_path = pg_catalog, pg_temp;
  alter function upload_pipeline.uuid7() set search_path = pg_catalog, pg_temp;
  alter function upload_pipeline.provider_of(text) set search_path = pg_catalog, pg_temp;
  alter function upload_pipeline.report_step(
    uuid, uuid, text, integer, boolean, boolean, boolean, text, text, text, integer, text
  ) set search_path = pg_catalog, pg_temp;
  alter function upload_pipeline.invalid_argument_of(
    text, text, text, text, text, boolean, uuid, text, jsonb
  ) set search_path = pg_catalog, pg_temp;
end;
$$;
