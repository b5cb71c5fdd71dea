create table upload_pipeline.error_codes (
  sqlstate text not null,
  name text not null,
  description text not null,
  constraint error_codes_pkey primary key (sqlstate),
  constraint name_is_unique unique (name),
  constraint sqlstate_is_of_class_up check (sqlstate ~ '^UP[0-9]{3}$')
);

comment on table upload_pipeline.error_codes is
  'Hookline''s own SQLSTATEs. Callers branch on them, and never on a message. UP003 and UP005 are raised by worker '
  'functions.';
comment on column upload_pipeline.error_codes.sqlstate is
  'Class UP: the SQL standard leaves classes that begin with I to Z to applications.';

insert into upload_pipeline.error_codes (sqlstate, name, description) values
  ('UP001', 'unknown_job', 'No job, document or kept content has this id.'),
  ('UP002', 'illegal_transition', 'The state machine has no enabled step of this kind from the job''s status.'),
  ('UP003', 'stale_lease', 'The lease has ended, or another worker holds it.'),
  ('UP004', 'document_mismatch', 'The ids, or the file and the job, do not belong together.'),
  ('UP005', 'budget_exceeded', 'Submitting would exceed a credit cap.'),
  ('UP006', 'invalid_argument', 'An argument has a value that is never valid.'),
  ('UP007', 'delivery_conflict', 'The id of an applied delivery came again with other content.'),
  ('UP008', 'unusable_content', 'The content is empty or differs from what its sender declared.'),
  ('UP009', 'unfinished_job_exists', 'The document has another job that is not finished.'),
  ('UP010', 'history_protected',
   'A status cannot change without its event, and an event cannot be changed or erased.'),
  ('UP011', 'machine_incomplete', 'The tables of the state machine lack a row that every job needs.'),
  ('UP012', 'isolation_unsupported', 'The transaction does not see what others have committed since it began.'),
  ('UP020', 'deletion_under_way', 'The object at this path may be deleted at any moment. Call again in a minute.'),
  ('UP021', 'too_many_uploads', 'The owner has begun too many uploads that are not confirmed.');

grant select on upload_pipeline.error_codes to hookline_reader;
