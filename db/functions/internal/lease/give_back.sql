-- A job that is not claimable waits by its deadline, so that is what moves.
create or replace function upload_pipeline.give_back(
  job upload_pipeline.upload_jobs,
  code text,
  error jsonb,
  run_after timestamptz
)
returns upload_pipeline.events
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  job.run_after := give_back.run_after;
  job.last_error := give_back.error;
  if not job.claimable then
    job.deadline_at := give_back.run_after;
  end if;

  return upload_pipeline.transition(
    job => job,
    code => give_back.code,
    payload => give_back.error || jsonb_build_object('leased_by', job.leased_by, 'run_after', give_back.run_after)
  );
end;
$$;

comment on function upload_pipeline.give_back(upload_pipeline.upload_jobs, text, jsonb, timestamptz) is
  'Ends the lease of a locked job, which keeps its status and is not claimed again before run_after. Raises UP002.';

revoke all on function upload_pipeline.give_back(upload_pipeline.upload_jobs, text, jsonb, timestamptz) from public;
