-- Asked before the bytes are kept. finish_content asks the machine again: the job may move in between.
create or replace function upload_pipeline.accepts_content(
  job upload_pipeline.upload_jobs,
  attempt integer,
  parse_job_id text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from upload_pipeline.next_step(job.status, 'parse_completed'))
     and not upload_pipeline.answers_earlier_attempt(job, accepts_content.attempt, accepts_content.parse_job_id, false)
     and not (job.terminal and exists (
       select
         from upload_pipeline.upload_jobs as j
        where j.document_id = job.document_id
          and not j.terminal
     ));
$$;

comment on function upload_pipeline.accepts_content(upload_pipeline.upload_jobs, integer, text) is
  'Whether content for this attempt can still become the job''s.';

revoke all on function upload_pipeline.accepts_content(upload_pipeline.upload_jobs, integer, text) from public;
