create table upload_pipeline.events (
  event_id uuid not null default upload_pipeline.uuid7(),
  job_id uuid not null,
  version integer not null,
  document_id uuid not null,
  from_status text,
  to_status text not null,
  type upload_pipeline.event_type not null,
  severity upload_pipeline.severity not null,
  code text not null,
  payload jsonb not null default '{}',
  correlation_id upload_pipeline.correlation_id not null,
  ts timestamptz not null,
  constraint events_pkey primary key (job_id, version),
  constraint event_and_job_are_of_one_document foreign key (job_id, document_id)
    references upload_pipeline.upload_jobs (job_id, document_id) on delete cascade,
  constraint step_is_a_transition foreign key (from_status, to_status, type)
    references upload_pipeline.transitions (from_status, to_status, event_type),
  constraint code_is_known foreign key (code) references upload_pipeline.event_codes (code),
  -- A null from_status escapes the foreign key to transitions. The trigger job_is_born_with_its_history checks births.
  constraint only_the_first_event_has_no_from_status check ((from_status is null) = (version = 1)),
  constraint version_counts_from_one check (version >= 1),
  constraint payload_is_an_object check (jsonb_typeof(payload) = 'object'),
  constraint times_are_between_2000_and_9999 check (
    ts <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

comment on table upload_pipeline.events is
  'The append-only history: one row for each version of a job. (job_id, version) identifies a row.';
comment on column upload_pipeline.events.event_id is 'A UUIDv7 that names the event in other systems.';
comment on column upload_pipeline.events.from_status is 'Null only at the birth of a job.';
comment on column upload_pipeline.events.ts is 'When it happened. Never earlier than the event before it.';
