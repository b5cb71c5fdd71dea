create table upload_pipeline.notifications (
  event_id uuid not null,
  job_id uuid,
  version integer,
  group_id uuid,
  run_after timestamptz default upload_pipeline.clock(),
  tries integer not null default 0,
  lease_token uuid,
  error text,
  taken_at timestamptz,
  dead_at timestamptz,
  constraint notifications_pkey primary key (event_id),
  constraint one_notification_an_event unique (job_id, version),
  constraint notification_is_of_an_event foreign key (job_id, version)
    references upload_pipeline.events (job_id, version) on delete cascade,
  constraint one_notification_a_group unique (group_id),
  constraint notification_is_of_a_group foreign key (group_id)
    references upload_pipeline.job_groups (group_id) on delete cascade,
  constraint notification_is_of_an_event_or_a_group check (
    (job_id is null) = (version is null) and num_nonnulls(job_id, group_id) = 1
  ),
  constraint notification_waits_or_is_taken_or_dead check (num_nonnulls(run_after, taken_at, dead_at) = 1),
  constraint only_a_waiting_notification_has_a_lease check (lease_token is null or run_after is not null),
  constraint tries_are_not_negative check (tries >= 0),
  constraint error_is_1_to_500_characters check (length(error) between 1 and 500),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[run_after, taken_at, dead_at])
  )
)
-- A queue: each row is rewritten once or twice, and then stays with its job.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

create index notifications_due on upload_pipeline.notifications (run_after)
  where run_after is not null;

create index notifications_dead on upload_pipeline.notifications (dead_at)
  where dead_at is not null;

comment on table upload_pipeline.notifications is
  'The outbox: what the application is told, one row for each step to a status that is announced, written in the '
  'transaction of the step, and one for each group of jobs that has ended. It is deleted with its job or group.';
comment on column upload_pipeline.notifications.event_id is
  'That of the event; of a group, an id of its own. The application gets it as webhook-id, the same in every try.';
comment on column upload_pipeline.notifications.group_id is
  'The group that has ended. Null: the notification is about a step.';
comment on column upload_pipeline.notifications.run_after is
  'It is not sent before. While somebody sends it, the end of the lease. Null: it is taken or dead.';
comment on column upload_pipeline.notifications.tries is 'How many tries have failed.';
comment on column upload_pipeline.notifications.lease_token is
  'The fencing token of the worker that sends it. Null: nobody does.';
comment on column upload_pipeline.notifications.error is 'Why the last failed try has failed.';
comment on column upload_pipeline.notifications.taken_at is 'When the application answered 2xx.';
comment on column upload_pipeline.notifications.dead_at is
  'When it was given up. retry_notifications sends it again.';
