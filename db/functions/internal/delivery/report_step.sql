-- Changes nothing. Holds the rules about reports: whether a report moves a locked job, and to which status. The planner
-- inlines a call in `from`, so many reports are one join.
-- Locks: none. Calls: provider_of.
create or replace function upload_pipeline.report_step(
  job_id uuid,
  document_id uuid,
  status text,
  attempt integer,
  terminal boolean,
  failed boolean,
  has_content boolean,
  parsed_path text,
  code text,
  parse_job_id text,
  answers_attempt integer,
  provider text
)
returns setof upload_pipeline.step
language sql
stable
rows 1
begin atomic
  select c.code, s.status, s.terminal, s.failed, s.claimable, s.has_content, s.overdue_after,
         s.announced_since is not null, c.event_type, c.severity
    from upload_pipeline.event_codes as c
    join upload_pipeline.transitions as t
      on t.from_status = report_step.status
     and t.to_status = coalesce(c.to_status, report_step.status)
     and t.event_type = c.event_type
     and t.enabled
    join upload_pipeline.statuses as s on s.status = t.to_status
   where c.code = report_step.code
     and c.to_status is distinct from report_step.status
     -- A transition names an event type and no code. So a transition that a later stage needs must not also let a late
     -- report take stored content away.
     and not report_step.has_content
     -- Only a job with content goes to a status with content.
     and (not s.has_content or report_step.parsed_path is not null)
     -- Refuses the answer to an earlier attempt. An unknown provider job counts as one of the current attempt, because
     -- its callback may come before we have recorded it. But if the current attempt has a known provider job, the
     -- failure of an unknown one must not end its work.
     -- No `case` here: the Supabase CLI would take its `end` for the end of the body.
     and (
       report_step.answers_attempt >= report_step.attempt
       or report_step.answers_attempt is null
       and not (s.failed and report_step.parse_job_id is not null and exists (
         select
           from upload_pipeline.provider_jobs as k
          where k.job_id = report_step.job_id
            and k.attempt = report_step.attempt
       ))
     )
     -- Only a new report may rescue a failed job. Repeats of an applied report are ignored.
     and not (report_step.failed and exists (
       select
         from upload_pipeline.webhook_deliveries as d
         join upload_pipeline.event_codes as k on k.code = d.code
        where d.job_id = report_step.job_id
          and d.parse_job_id = report_step.parse_job_id
          and upload_pipeline.provider_of(d.source) = report_step.provider
          and d.outcome = 'applied'
          and k.to_status = s.status
     ))
     -- A finished job stays finished while its document has a newer job. The unique index decides between two
     -- transactions at the same time.
     and not (report_step.terminal and not s.terminal and exists (
       select
         from upload_pipeline.upload_jobs as n
        where n.document_id = report_step.document_id
          and not n.terminal
     ));
end;

comment on function upload_pipeline.report_step(
  uuid, uuid, text, integer, boolean, boolean, boolean, text, text, text, integer, text
) is
  'The step that a report of this code takes a locked job along. No row: the report is stale. answers_attempt is the '
  'attempt of its provider job, null if that is unknown; provider is whose id parse_job_id is.';

revoke all on function upload_pipeline.report_step(
  uuid, uuid, text, integer, boolean, boolean, boolean, text, text, text, integer, text
) from public;
