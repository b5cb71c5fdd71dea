create table upload_pipeline.activity_counts (
  row_id uuid not null default gen_random_uuid(),
  span text not null,
  at timestamptz not null,
  from_status text,
  to_status text,
  code text,
  source text,
  outcome text,
  count bigint not null,
  constraint activity_counts_pkey primary key (row_id),
  constraint span_is_known check (span in ('new', 'minute', 'hour', 'earlier')),
  constraint row_counts_steps_or_deliveries check (
    (source is null) = (outcome is null)
    and (source is null) = (coalesce(from_status, to_status) is not null)
    and (source is null or code is null)
  ),
  constraint times_are_between_2000_and_9999 check (
    at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
)
-- Every step inserts here, and roll_up_activity deletes it again. To give empty pages at the end of the table back,
-- vacuum would lock it against steps.
with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000, vacuum_truncate = off);

comment on table upload_pipeline.activity_counts is
  'How many steps jobs took, and how many deliveries came, by minute. Rows are only inserted, so no step waits for '
  'another one; roll_up_activity adds them up. It keeps minutes for a day, and hours for 30 days. Over all rows, the '
  'sum of count by to_status minus the sum by from_status is the number of jobs in a status.';
comment on column upload_pipeline.activity_counts.row_id is 'For logical replication, which needs a key.';
comment on column upload_pipeline.activity_counts.span is
  'How much time the row stands for: new (a minute, not added up yet), minute, hour, or earlier (all before that).';
comment on column upload_pipeline.activity_counts.at is 'When that time begins.';
comment on column upload_pipeline.activity_counts.from_status is
  'The status before the steps. Null: the jobs were created.';
comment on column upload_pipeline.activity_counts.to_status is 'The status after them. Null: the jobs were deleted.';
comment on column upload_pipeline.activity_counts.code is
  'The code of their events. Null: there is no event. Jobs were deleted, or recount_statuses corrected the number.';
comment on column upload_pipeline.activity_counts.outcome is 'What the deliveries of the source did when they came.';
