create table upload_pipeline.statuses (
  status text not null,
  initial boolean not null default false,
  terminal boolean not null default false,
  failed boolean not null default false,
  claimable boolean not null default false,
  has_content boolean not null default false,
  overdue_after interval,
  description text not null,
  retry_base interval not null default '3 seconds',
  retry_cap interval not null default '300 seconds',
  max_tries integer not null default 3,
  failure_code text,
  paused_until timestamptz,
  paused_because text,
  paused_by text,
  was_initial boolean not null default false,
  announced boolean not null default false,
  announced_since timestamptz,
  constraint statuses_pkey primary key (status),
  constraint flags_travel_with_the_status unique (status, terminal, failed, claimable, has_content),
  constraint status_is_a_word check (length(status) <= 63 and status ~ '^[a-z][a-z_]*$'),
  constraint initial_status_is_unfinished check (not (initial and terminal)),
  constraint initial_status_has_no_content check (not (initial and has_content)),
  constraint initial_status_was_initial check (was_initial or not initial),
  constraint failure_is_terminal check (terminal or not failed),
  constraint finished_work_is_not_claimable check (not (terminal and claimable)),
  constraint finished_work_is_never_overdue check (not terminal or overdue_after is null),
  -- Without a bound, a step into the status would leave the range of timestamptz, or of a client's type.
  constraint overdue_after_is_up_to_a_year check (
    interval '0' < overdue_after and overdue_after <= interval '366 days'
  ),
  constraint retry_base_is_positive_and_within_retry_cap check (
    interval '0' < retry_base and retry_base <= retry_cap and retry_cap <= interval '31 days'
  ),
  constraint max_tries_counts_from_one check (max_tries >= 1),
  constraint finished_work_does_not_fail check (not terminal or failure_code is null),
  constraint pause_is_whole check (num_nulls(paused_until, paused_because, paused_by) in (0, 3)),
  -- The birth of a job is no step.
  constraint initial_status_is_not_announced check (not (initial and announced)),
  constraint only_a_marked_status_is_announced check (announced or announced_since is null),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[paused_until, announced_since])
  )
);

create unique index one_initial_status on upload_pipeline.statuses (initial) where initial;

comment on table upload_pipeline.statuses is
  'The states of the machine. Add a stage by inserting rows here, in transitions and in event_codes.';
comment on column upload_pipeline.statuses.initial is 'True: jobs are born here. Only one status is initial.';
comment on column upload_pipeline.statuses.terminal is
  'True: the job is finished, and its document may have a new one. A transition may still lead out (a retry, a '
  'late success).';
comment on column upload_pipeline.statuses.failed is
  'True: a dead letter. failed_jobs lists it until it is retried or cancelled.';
comment on column upload_pipeline.statuses.claimable is 'True: any worker may claim jobs here and work on them.';
comment on column upload_pipeline.statuses.has_content is
  'True: a job here has parsed content that is stored and recorded.';
comment on column upload_pipeline.statuses.overdue_after is
  'How long a job may stay here. Null: for ever. Where jobs are not claimable, an overdue one is claimed all the '
  'same, so that a worker asks the provider about it.';
comment on column upload_pipeline.statuses.retry_base is
  'The pause after the first failed try. Each later pause is twice as long; each varies by up to a quarter.';
comment on column upload_pipeline.statuses.retry_cap is 'The longest pause. It varies by up to a quarter, too.';
comment on column upload_pipeline.statuses.max_tries is
  'How many failed tries here end the job. Three expired leases count as one failed try.';
comment on column upload_pipeline.statuses.failure_code is
  'The event that ends a job here for good. Null: the job is tried again for ever.';
comment on column upload_pipeline.statuses.paused_until is 'Jobs here are not claimed before. Null: not paused.';
comment on column upload_pipeline.statuses.paused_because is 'Why jobs here are paused.';
comment on column upload_pipeline.statuses.paused_by is 'The login role that paused them.';
comment on column upload_pipeline.statuses.was_initial is
  'True: the status is or was initial, so that the history of a job may begin here.';
comment on column upload_pipeline.statuses.announced is
  'True: the application is told when a job comes here, while announcements are on.';
comment on column upload_pipeline.statuses.announced_since is
  'When start_announcing switched the announcements of this status on. Null: they are off.';

grant select on upload_pipeline.statuses to hookline_reader;
