create table upload_pipeline.providers (
  provider text not null,
  served_at timestamptz,
  constraint providers_pkey primary key (provider),
  constraint provider_is_a_word check (length(provider) <= 63 and provider ~ '^[a-z][a-z0-9_]*$'),
  constraint times_are_between_2000_and_9999 check (
    served_at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

comment on table upload_pipeline.providers is
  'The parsers that a job may name: those that Hookline brings, and those of which a worker has claimed jobs.';
comment on column upload_pipeline.providers.served_at is
  'When a worker last claimed jobs of this provider, to the minute. Null: none ever did.';

grant select on upload_pipeline.providers to hookline_reader;

insert into upload_pipeline.providers (provider) values ('docling'), ('llamacloud'), ('local'), ('reducto');
