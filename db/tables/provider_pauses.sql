create table upload_pipeline.provider_pauses (
  status text not null,
  provider text not null,
  paused_until timestamptz not null,
  paused_because text not null,
  paused_by text not null default session_user,
  constraint provider_pauses_pkey primary key (status, provider),
  constraint pause_is_of_a_status foreign key (status) references upload_pipeline.statuses (status),
  constraint provider_is_a_word check (provider ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint times_are_between_2000_and_9999 check (
    paused_until <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

comment on table upload_pipeline.provider_pauses is
  'Until when no job of a status is claimed for a provider, because it would refuse each: a spent quota, a wrong key. '
  'The jobs of other providers go on. pause_stage writes it, resume_stage and purge delete from it.';

alter table upload_pipeline.provider_pauses enable row level security;
