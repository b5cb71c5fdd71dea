create table upload_pipeline.artifacts (
  job_id uuid not null,
  kind text not null,
  name text not null default '',
  attempt integer not null,
  sha256 upload_pipeline.sha256_hex not null,
  bytes bigint not null,
  path upload_pipeline.storage_path not null,
  recorded_at timestamptz not null default upload_pipeline.clock(),
  stored_at timestamptz,
  constraint artifacts_pkey primary key (job_id, kind, name),
  constraint artifact_is_of_a_job foreign key (job_id)
    references upload_pipeline.upload_jobs (job_id) on delete cascade,
  constraint path_belongs_to_one_artifact unique (path),
  constraint path_is_ours check (path like 'storage://parsed/%'),
  constraint kind_is_a_word check (length(kind) <= 30 and kind ~ '^[a-z][a-z0-9_]*$'),
  constraint name_is_at_most_200_characters check (length(name) <= 200),
  constraint attempt_counts_from_one check (attempt >= 1),
  constraint artifact_is_not_empty check (bytes > 0),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[recorded_at, stored_at])
  )
);

comment on table upload_pipeline.artifacts is
  'What a parser gave beside the markdown, and was asked for by options, such as text or json. All rows of a job are '
  'of one attempt; a new attempt drops them. An object is written after its row.';
comment on column upload_pipeline.artifacts.name is
  'The provider''s own name, which tells several of a kind apart. Never part of a path.';
comment on column upload_pipeline.artifacts.path is
  'storage://parsed/{document_id}/{job_id}.{attempt}.{kind}.{hash}.{extension}. The hash is that of name and content.';
comment on column upload_pipeline.artifacts.stored_at is 'Null: the object may be missing or incomplete.';

alter table upload_pipeline.artifacts enable row level security;
