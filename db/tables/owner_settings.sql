create table upload_pipeline.owner_settings (
  owner_id uuid not null,
  provider text,
  max_running integer,
  constraint owner_settings_pkey primary key (owner_id),
  constraint row_sets_something check (provider is not null or max_running is not null),
  constraint provider_is_known foreign key (provider) references upload_pipeline.providers (provider),
  constraint max_running_counts_from_one check (max_running >= 1)
);

-- Whether a claim has to count at all.
create index owner_settings_capped on upload_pipeline.owner_settings (owner_id)
  where max_running is not null;

comment on table upload_pipeline.owner_settings is
  'What holds for all jobs of an owner. set_owner writes it. An owner without a row has no settings.';
comment on column upload_pipeline.owner_settings.provider is
  'The parser of new jobs that name none. Null: the first that the workers have.';
comment on column upload_pipeline.owner_settings.max_running is
  'How many jobs of the owner are leased at once, in all statuses together. Null: no limit.';
