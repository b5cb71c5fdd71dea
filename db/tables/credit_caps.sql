create table upload_pipeline.credit_caps (
  provider text not null,
  scope text not null,
  owner_id uuid,
  period text not null,
  credits numeric not null,
  used numeric not null default 0,
  starts_at timestamptz not null,
  constraint one_cap_a_scope_owner_period_and_provider unique nulls not distinct (scope, owner_id, period, provider),
  constraint provider_is_known foreign key (provider) references upload_pipeline.providers (provider),
  constraint scope_is_all_each_or_owner check (
    scope = 'all' and owner_id is null or scope = 'each' or scope = 'owner' and owner_id is not null
  ),
  constraint period_is_hour_day_or_month check (period in ('hour', 'day', 'month')),
  -- NaN is greater than Infinity.
  constraint credits_are_not_negative check (credits between 0 and 'Infinity'),
  constraint used_is_not_negative check (used >= 0 and used < 'Infinity'),
  constraint times_are_between_2000_and_9999 check (
    starts_at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
)
-- Each reservation and each bill rewrites a sum. If its page has room, the new row version needs no index entry.
with (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);

comment on table upload_pipeline.credit_caps is
  'How many of a provider''s credits may be spent in an hour, a day or a month (UTC). The sum of what was spent is '
  'kept here, so that a reservation costs the same however long the history is.';
comment on column upload_pipeline.credit_caps.provider is
  'Whose credits they are. Each provider has a unit of its own, so sums never mix providers.';
comment on column upload_pipeline.credit_caps.scope is
  'all: all owners together. owner: this owner. each: every owner who has no cap of their own for this period and '
  'provider; the row without owner_id holds the amount, and each owner who reserves gets a row with that amount and a '
  'sum of their own.';
comment on column upload_pipeline.credit_caps.owner_id is
  'Null: all owners together, or the amount for each owner.';
comment on column upload_pipeline.credit_caps.used is
  'Credits reserved or billed in the window that began at starts_at.';

alter table upload_pipeline.credit_caps enable row level security;

-- Without a primary key, a publication could not tell a subscriber which row an update is about.
alter table upload_pipeline.credit_caps replica identity full;
