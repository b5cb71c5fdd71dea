create table upload_pipeline.credit_caps (
  owner_id uuid,
  period text not null,
  credits numeric not null,
  used numeric not null default 0,
  starts_at timestamptz not null,
  constraint one_cap_an_owner_and_period unique nulls not distinct (owner_id, period),
  constraint period_is_hour_day_or_month check (period in ('hour', 'day', 'month')),
  constraint credits_are_not_negative check (credits >= 0),
  constraint used_is_not_negative check (used >= 0)
);

comment on table upload_pipeline.credit_caps is
  'How many of the provider''s credits may be spent in an hour, a day or a month (UTC), by an owner or by all '
  'together. The sum is kept here, so that a reservation costs the same whatever the history.';
comment on column upload_pipeline.credit_caps.owner_id is 'Null: all owners together.';
comment on column upload_pipeline.credit_caps.used is 'Reserved or billed in the window that began at starts_at.';

alter table upload_pipeline.credit_caps enable row level security;
