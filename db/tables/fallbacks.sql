create table upload_pipeline.fallbacks (
  provider text not null,
  code text,
  next_provider text not null,
  constraint one_fallback_a_provider_and_code unique nulls not distinct (provider, code),
  constraint provider_is_known foreign key (provider) references upload_pipeline.providers (provider),
  constraint next_provider_is_known foreign key (next_provider) references upload_pipeline.providers (provider),
  constraint fallback_is_another_provider check (next_provider <> provider),
  constraint code_is_a_letter_and_up_to_99_characters check (code ~ '^[A-Za-z][A-Za-z0-9_.]{0,99}$')
);

comment on table upload_pipeline.fallbacks is
  'What happens instead of a dead letter: after a failure at a provider the job begins another attempt at the next '
  'one. set_fallback writes it. A job comes to no provider twice in this way.';
comment on column upload_pipeline.fallbacks.code is
  'The code of the failure, as in last_error. Null: of every failure that has no row of its own.';

-- Without a primary key, a publication could not tell a subscriber which row an update is about.
alter table upload_pipeline.fallbacks replica identity full;

grant select on upload_pipeline.fallbacks to hookline_reader;
