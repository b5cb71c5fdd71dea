create table upload_pipeline.job_groups (
  group_id uuid not null,
  owner_id uuid not null,
  created_at timestamptz not null default upload_pipeline.clock(),
  closed_at timestamptz,
  check_after timestamptz,
  announced_at timestamptz,
  counts jsonb,
  constraint job_groups_pkey primary key (group_id),
  -- owner_id comes first, so that the index also finds the groups of an owner.
  constraint group_has_one_owner unique (owner_id, group_id),
  constraint only_a_closed_group_is_checked check (check_after is null or closed_at is not null),
  constraint announced_group_is_not_checked check (announced_at is null or check_after is null),
  constraint only_a_closed_group_is_announced check (announced_at is null or closed_at is not null),
  constraint announced_group_has_counts check ((counts is null) = (announced_at is null)),
  constraint counts_is_an_object check (jsonb_typeof(counts) = 'object'),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
    @> all (array[created_at, closed_at, check_after, announced_at])
  )
)
-- A queue, too: while a closed group has unfinished jobs, its row is rewritten at each look.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

create index job_groups_to_check on upload_pipeline.job_groups (check_after)
  where check_after is not null;

-- Those that purge may delete.
create index job_groups_by_time on upload_pipeline.job_groups (created_at);

comment on table upload_pipeline.job_groups is
  'Groups of jobs: one row for each group_id that create_job was given. Steps of jobs never touch it: a worker looks '
  'whether a closed group has ended.';
comment on column upload_pipeline.job_groups.closed_at is
  'When close_group was called. Null: it takes new jobs.';
comment on column upload_pipeline.job_groups.check_after is
  'A worker looks then whether the group has ended. Null: it is open, was announced, or was closed while '
  'announcements were off.';
comment on column upload_pipeline.job_groups.announced_at is
  'When a worker found that the group has ended, and wrote its notification.';
comment on column upload_pipeline.job_groups.counts is
  'What the application is told: the number of jobs, {"total", "complete", "failed", "cancelled"}.';
