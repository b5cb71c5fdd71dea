create type upload_pipeline.move as (
  job upload_pipeline.upload_jobs,
  step upload_pipeline.step,
  payload jsonb,
  correlation_id text,
  event_id uuid,
  error jsonb
);

comment on type upload_pipeline.move is
  'One step of one job, as write_steps takes it: the row of the locked job, in which a caller may have changed '
  'attempt, max_attempts, run_after, parsed_* and last_error; the step; the payload, the correlation_id (null: the '
  'job''s) and the event_id (null: a new one) of its event; and the error that becomes last_error (null: that of the '
  'row).';
