create domain upload_pipeline.severity as text
  constraint severity_is_known check (value in ('info', 'warn', 'error'));

comment on domain upload_pipeline.severity is 'How much attention an event deserves.';
