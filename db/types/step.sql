create type upload_pipeline.step as (
  code text,
  status text,
  terminal boolean,
  failed boolean,
  claimable boolean,
  has_content boolean,
  overdue_after interval,
  announced boolean,
  event_type upload_pipeline.event_type,
  severity upload_pipeline.severity
);

comment on type upload_pipeline.step is
  'What an event of this code does to a job: the status it leads to, with its flags and whether the application is '
  'told of it now, and the kind of the event. '
  'status is null if the state machine allows no such step.';
