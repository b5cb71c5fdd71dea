create type upload_pipeline.receipt as (
  outcome upload_pipeline.outcome,
  job_id uuid,
  document_id uuid,
  status text,
  version integer,
  event_id uuid,
  ordinal integer,
  path text
);

comment on type upload_pipeline.receipt is
  'What a function did to a job: the outcome, the job as it is now, and the event written (null if none). '
  'ordinal and path name the content concerned (null if none).';
