-- Changes nothing.
-- Locks: none. Calls: answered_attempt.
create or replace function upload_pipeline.answer_is_stale(
  job upload_pipeline.upload_jobs,
  attempt integer,
  provider text,
  parse_job_id text
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    coalesce(
      answer_is_stale.attempt,
      upload_pipeline.answered_attempt(job, answer_is_stale.provider, answer_is_stale.parse_job_id)
    ) < job.attempt,
    false
  );
end;
$$;

comment on function upload_pipeline.answer_is_stale(upload_pipeline.upload_jobs, integer, text, text) is
  'True if content belongs to an attempt that is over. attempt decides if it is given, else the attempt of the '
  'provider job. report_step has the same rule for reports.';

revoke all on function upload_pipeline.answer_is_stale(upload_pipeline.upload_jobs, integer, text, text) from public;
