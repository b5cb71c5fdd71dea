create table upload_pipeline.contents (
  job_id uuid not null,
  ordinal integer not null,
  attempt integer not null,
  content_sha256 upload_pipeline.sha256_hex not null,
  content_bytes bigint not null,
  content bytea,
  path upload_pipeline.storage_path,
  details jsonb not null default '{}',
  correlation_id upload_pipeline.correlation_id not null,
  received_at timestamptz not null default upload_pipeline.clock(),
  run_after timestamptz default upload_pipeline.clock(),
  tries integer not null default 0,
  stored_at timestamptz,
  constraint contents_pkey primary key (job_id, ordinal),
  constraint content_is_of_a_job foreign key (job_id)
    references upload_pipeline.upload_jobs (job_id) on delete cascade,
  constraint one_row_a_content unique (job_id, content_sha256),
  constraint path_belongs_to_one_content unique (path),
  constraint job_path_hash_and_size_belong_together unique (job_id, path, content_sha256, content_bytes),
  constraint path_is_ours check (path like 'storage://parsed/%'),
  constraint content_is_not_empty check (content_bytes > 0),
  constraint content_has_its_size check (octet_length(content) = content_bytes),
  constraint stored_content_has_no_bytes_here check (stored_at is null or content is null),
  constraint only_content_with_a_path_is_stored check (path is not null or stored_at is null),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[received_at, run_after, stored_at])
  )
)
-- The bytes of content that was kept leave large dead rows behind.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 100,
      toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 1000);

create index contents_to_store on upload_pipeline.contents (run_after)
  where path is not null and stored_at is null and run_after is not null;

create index contents_to_decide on upload_pipeline.contents (received_at)
  where path is null and content is not null;

-- Bytes are written once and read once. Compressing them takes longer than writing them.
alter table upload_pipeline.contents alter column content set storage external;

-- Deferred, because a restore loads one of the two tables before the other.
alter table upload_pipeline.upload_jobs
  add constraint parsed_path_is_of_the_jobs_own_content
  foreign key (job_id, parsed_path, parsed_sha256, parsed_bytes)
  references upload_pipeline.contents (job_id, path, content_sha256, content_bytes)
  deferrable initially deferred;

comment on table upload_pipeline.contents is
  'Received content and its path. The row has the bytes while storage fails. For a slow storage it has them from the '
  'start. Once the object is stored, they are dropped and the row stays, so that no path is given out twice. Content '
  'without a path is of unknown shape and waits for an operator.';
comment on column upload_pipeline.contents.ordinal is 'Numbers the contents of a job from 1.';
comment on column upload_pipeline.contents.attempt is 'The attempt of the job that this content answers.';
comment on column upload_pipeline.contents.path is
  'storage://parsed/{document_id}/{job_id}.md, then {job_id}.{n}.md. A path belongs to one exact content.';
comment on column upload_pipeline.contents.details is 'Becomes part of the payload of the parse_completed event.';
comment on column upload_pipeline.contents.run_after is
  'The drain does not try the content before this time. At first it leaves the receiver time for its own write. Null: '
  'neither storage nor this row has the bytes; they have to come again.';
comment on column upload_pipeline.contents.content is
  'Null once the object is stored, and while only the writer of the object has the bytes.';
