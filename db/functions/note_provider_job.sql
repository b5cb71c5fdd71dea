create function upload_pipeline.note_provider_job(parse_job_id text, job_id uuid, attempt integer)
returns void
language plpgsql
as $$
begin
  if parse_job_id is not null then
    insert into upload_pipeline.provider_jobs (parse_job_id, job_id, attempt)
    values (note_provider_job.parse_job_id, note_provider_job.job_id, note_provider_job.attempt)
    on conflict do nothing;
  end if;
end;
$$;

comment on function upload_pipeline.note_provider_job(text, uuid, integer) is
  'Remembers which attempt a provider job is of, unless that is known. Null: nothing.';

revoke all on function upload_pipeline.note_provider_job(text, uuid, integer) from public;
