create type upload_pipeline.delivery as (
  source text,
  delivery_id text,
  body_sha256 text,
  event_type text,
  code text,
  job_id uuid,
  document_id uuid,
  parse_job_id text,
  payload jsonb,
  correlation_id text,
  attempt integer
);

comment on type upload_pipeline.delivery is
  'One webhook without content, as receive_events takes it. The columns are the arguments of receive_event.';
