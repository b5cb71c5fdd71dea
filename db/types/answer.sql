create type upload_pipeline.answer as (
  number integer,
  outcome text,
  job_id uuid,
  document_id uuid,
  status text,
  version integer,
  event_id uuid,
  ordinal integer,
  path text,
  sqlstate text,
  message text,
  detail text,
  hint text
);

comment on type upload_pipeline.answer is
  'The answer to one of several deliveries: its number from 1, and a receipt; or, with outcome null, the error that '
  'receive_event would have raised.';
