create type upload_pipeline.move as (
  job_id uuid,
  step upload_pipeline.step,
  payload jsonb,
  correlation_id text,
  attempt integer,
  max_attempts integer,
  run_after timestamptz,
  parsed_path text,
  parsed_sha256 text,
  parsed_bytes bigint,
  last_error jsonb
);

comment on type upload_pipeline.move is
  'One step of one job, as write_steps takes it: the step, its event''s payload and correlation_id (null: the job''s), '
  'and the columns of upload_jobs that a caller may change along with it.';
