create domain upload_pipeline.event_type as text
  constraint event_type_is_known check (
    value in ('stage_started', 'stage_done', 'stage_error', 'retry', 'finalized', 'operator')
  );

comment on domain upload_pipeline.event_type is 'Which kind of step an event records.';
