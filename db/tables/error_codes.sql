create table upload_pipeline.error_codes (
  sqlstate text not null,
  name text not null,
  description text not null,
  constraint error_codes_pkey primary key (sqlstate),
  constraint name_is_unique unique (name),
  constraint sqlstate_is_of_class_up check (sqlstate ~ '^UP[0-9]{3}$')
);

comment on table upload_pipeline.error_codes is
  'Hookline''s own SQLSTATEs. A caller branches on them, never on a message. UP003 and UP005 are of the worker functions.';
comment on column upload_pipeline.error_codes.sqlstate is 'Class UP: I to Z are free for applications.';

insert into upload_pipeline.error_codes (sqlstate, name, description) values
  ('UP001', 'unknown_job', 'No job, document or kept content has this id.'),
  ('UP002', 'illegal_transition', 'The state machine has no enabled step of this kind from the job''s status.'),
  ('UP003', 'stale_lease', 'The lease is another worker''s by now, or has ended.'),
  ('UP004', 'document_mismatch', 'The ids or the file named together do not belong together.'),
  ('UP005', 'budget_exceeded', 'Submitting would exceed a credit cap.'),
  ('UP006', 'invalid_argument', 'An argument has a value that no call can accept.'),
  ('UP007', 'delivery_conflict', 'The id of an applied delivery came again with other content.'),
  ('UP008', 'unusable_content', 'The content is empty or is not what its sender said it is.'),
  ('UP009', 'unfinished_job_exists', 'The document has another job that is not finished.'),
  ('UP010', 'history_protected', 'A status without its event, or an event changed or erased.');

grant select on upload_pipeline.error_codes to hookline_reader;
