create table upload_pipeline.statuses (
  status text not null,
  initial boolean not null default false,
  terminal boolean not null default false,
  failed boolean not null default false,
  claimable boolean not null default false,
  has_content boolean not null default false,
  overdue_after interval,
  description text not null,
  constraint statuses_pkey primary key (status),
  constraint flags_travel_with_the_status unique (status, terminal, failed, claimable, has_content),
  constraint status_is_a_word check (status ~ '^[a-z][a-z_]{0,62}$'),
  constraint initial_status_is_unfinished check (not (initial and terminal)),
  constraint failure_is_terminal check (terminal or not failed),
  constraint finished_work_is_not_claimable check (not (terminal and claimable)),
  constraint finished_work_is_never_overdue check (not terminal or overdue_after is null),
  constraint overdue_after_is_positive check (overdue_after > interval '0')
);

create unique index one_initial_status on upload_pipeline.statuses (initial) where initial;

comment on table upload_pipeline.statuses is
  'The states of the machine. Add a stage by inserting rows here, in transitions and in event_codes.';
comment on column upload_pipeline.statuses.initial is 'A job is born here; one status only.';
comment on column upload_pipeline.statuses.terminal is
  'The job is finished: a new one may be made for its document. A transition may still lead out (a retry, a late success).';
comment on column upload_pipeline.statuses.failed is 'A dead letter: listed by failed_jobs until retried or cancelled.';
comment on column upload_pipeline.statuses.claimable is 'Work for whoever claims it.';
comment on column upload_pipeline.statuses.has_content is 'A job here has parsed content, stored and recorded.';
comment on column upload_pipeline.statuses.overdue_after is 'How long is too long; null: may stay for ever.';

grant select on upload_pipeline.statuses to hookline_reader;
