create table upload_pipeline.transitions (
  from_status text not null,
  to_status text not null,
  event_type upload_pipeline.event_type not null,
  enabled boolean not null default true,
  constraint transitions_pkey primary key (from_status, to_status, event_type),
  constraint from_status_is_known foreign key (from_status) references upload_pipeline.statuses (status),
  constraint to_status_is_known foreign key (to_status) references upload_pipeline.statuses (status)
);

-- retry_job follows this row, so only one may be enabled. A disabled one may have a successor beside it.
create unique index one_way_back_by_retry on upload_pipeline.transitions (from_status)
  where event_type = 'retry' and to_status <> from_status and enabled;

comment on table upload_pipeline.transitions is
  'Every legal step. A step that keeps the status (a released lease, a confirmed upload) leads from the status to '
  'itself. Disable a row instead of deleting it, because the history refers to it.';
comment on column upload_pipeline.transitions.enabled is
  'False: no job takes this step any more. Events of earlier steps stay.';

grant select on upload_pipeline.transitions to hookline_reader;
