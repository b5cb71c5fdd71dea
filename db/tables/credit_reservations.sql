create table upload_pipeline.credit_reservations (
  job_id uuid not null,
  attempt integer not null,
  ordinal integer not null,
  owner_id uuid,
  provider text not null,
  reserved numeric not null,
  billed numeric,
  reserved_at timestamptz not null,
  settled_at timestamptz,
  check_after timestamptz,
  constraint credit_reservations_pkey primary key (job_id, attempt, ordinal),
  constraint attempt_and_ordinal_count_from_one check (attempt >= 1 and ordinal >= 1),
  constraint provider_is_a_word check (length(provider) <= 63 and provider ~ '^[a-z][a-z0-9_]*$'),
  constraint credits_are_between_0_and_1e12 check (reserved between 0 and 1e12 and billed between 0 and 1e12),
  constraint settlement_is_whole check ((billed is null) = (settled_at is null)),
  constraint open_reservation_has_a_check_after check ((check_after is null) = (settled_at is not null)),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[reserved_at, settled_at, check_after])
  )
);

create unique index one_open_reservation_an_attempt on upload_pipeline.credit_reservations (job_id, attempt)
  where settled_at is null;

create index credit_reservations_open on upload_pipeline.credit_reservations (check_after)
  where settled_at is null;

create index credit_reservations_by_owner on upload_pipeline.credit_reservations (owner_id, reserved_at);

create index credit_reservations_by_time on upload_pipeline.credit_reservations (reserved_at);

comment on table upload_pipeline.credit_reservations is
  'One row for each time that an attempt was submitted, or may have been: what it may cost, then what was billed. '
  'A row is settled once and never opened again; a later submission of the attempt has a row of its own. It has no '
  'foreign key to the job, because what was spent stays spent when a document is erased. purge deletes old rows.';
comment on column upload_pipeline.credit_reservations.ordinal is 'Numbers the reservations of an attempt from 1.';
comment on column upload_pipeline.credit_reservations.owner_id is 'Null: the owner was erased.';
comment on column upload_pipeline.credit_reservations.provider is
  'To whom the attempt was submitted. The credits are of its unit.';
comment on column upload_pipeline.credit_reservations.reserved_at is
  'The time at which it counts in a cap. It is before the last call that may have submitted the job: while the row '
  'is open, the provider may know the job.';
comment on column upload_pipeline.credit_reservations.billed is
  'Null: not settled yet. 0: never submitted, or free.';
comment on column upload_pipeline.credit_reservations.check_after is
  'When a worker asks the provider what was billed.';

alter table upload_pipeline.credit_reservations enable row level security;
