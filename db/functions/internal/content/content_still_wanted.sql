-- Changes nothing. It is asked before the bytes are kept. The job may move afterwards, so finish_content asks the
-- state machine again.
-- Locks: none. Calls: answer_is_stale, resolve_step.
create or replace function upload_pipeline.content_still_wanted(
  job upload_pipeline.upload_jobs,
  attempt integer,
  provider text,
  parse_job_id text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select not job.has_content
     and (upload_pipeline.resolve_step(job.status, 'parse_completed')).status is not null
     and not upload_pipeline.answer_is_stale(
       job, content_still_wanted.attempt, content_still_wanted.provider, content_still_wanted.parse_job_id
     )
     and not (job.terminal and exists (
       select
         from upload_pipeline.upload_jobs as j
        where j.document_id = job.document_id
          and not j.terminal
     ));
$$;

comment on function upload_pipeline.content_still_wanted(upload_pipeline.upload_jobs, integer, text, text) is
  'True if content for this attempt can still become the content of the job.';

revoke all on function upload_pipeline.content_still_wanted(upload_pipeline.upload_jobs, integer, text, text)
  from public;
