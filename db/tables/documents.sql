create table upload_pipeline.documents (
  document_id uuid not null default upload_pipeline.uuid7(),
  owner_id uuid not null,
  filename text not null,
  mime text not null,
  bytes_len bigint not null,
  file_sha256 upload_pipeline.sha256_hex not null,
  raw_path text not null,
  upload_confirmed boolean not null default false,
  purged_paths text[] not null default '{}',
  created_at timestamptz not null default upload_pipeline.clock(),
  constraint documents_pkey primary key (document_id),
  constraint one_document_a_file_of_an_owner unique (owner_id, file_sha256),
  constraint owner_and_confirmation_travel_with_the_document unique (document_id, owner_id, upload_confirmed),
  constraint filename_is_1_to_500_characters check (length(filename) between 1 and 500),
  constraint mime_is_a_media_type check (mime ~ '^[a-z0-9.+-]+/[a-z0-9.+-]+$' and length(mime) <= 200),
  constraint bytes_len_is_positive check (bytes_len > 0),
  constraint raw_path_is_1_to_1000_bytes check (octet_length(raw_path) between 1 and 1000),
  -- The cast raises an error if the path is in our storage and storage cannot hold it. A scheme in capitals, or after a
  -- blank, means our storage too.
  constraint raw_path_in_our_storage_is_possible check (
    case when raw_path ~* '^\s*storage:' then raw_path::upload_pipeline.storage_path is not null else true end
  ),
  -- Otherwise erasing this document could delete the content of another one. Some file systems take `Parsed` for
  -- `parsed`.
  constraint raw_path_is_not_of_parsed_content check (raw_path !~* '^storage://parsed/'),
  constraint times_are_between_2000_and_9999 check (
    created_at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

create index documents_by_raw_path on upload_pipeline.documents (raw_path);

-- How many uploads an owner has begun and not finished.
create index documents_unconfirmed on upload_pipeline.documents (owner_id)
  where not upload_confirmed;

comment on table upload_pipeline.documents is
  'A file of an owner. Two owners with the same file have two documents, so that nothing leaks between them.';
comment on column upload_pipeline.documents.raw_path is
  'Where the raw file is. Hookline erases only paths that begin with storage://.';
comment on column upload_pipeline.documents.purged_paths is
  'Objects of purged jobs. They stay in storage until the document is erased.';
comment on column upload_pipeline.documents.upload_confirmed is
  'True: the raw file is there, with this size and hash. Foreign keys copy it into the jobs.';
