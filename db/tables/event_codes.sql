create table upload_pipeline.event_codes (
  code text not null,
  event_type upload_pipeline.event_type not null,
  severity upload_pipeline.severity not null,
  to_status text,
  reported boolean not null default false,
  description text not null,
  constraint event_codes_pkey primary key (code),
  constraint code_is_a_word check (length(code) <= 63 and code ~ '^[a-z][a-z_]*$'),
  constraint to_status_is_known foreign key (to_status) references upload_pipeline.statuses (status)
);

comment on table upload_pipeline.event_codes is
  'What can happen to a job. Functions name a code; its type, its severity and the status it leads to follow from '
  'its row.';
comment on column upload_pipeline.event_codes.reported is
  'True: a provider may report it. The endpoint takes these codes and no others.';
comment on column upload_pipeline.event_codes.to_status is
  'The status it leads to. Null: the job keeps its status, or the function chooses one (retry_job, fail_job).';

-- Deferred, because a restore loads one of the two tables before the other.
alter table upload_pipeline.statuses
  add constraint failure_code_is_known
  foreign key (failure_code) references upload_pipeline.event_codes (code)
  deferrable initially deferred;

grant select on upload_pipeline.event_codes to hookline_reader;
