create table upload_pipeline.deletions (
  path upload_pipeline.storage_path not null,
  requested_at timestamptz not null default upload_pipeline.clock(),
  run_after timestamptz not null,
  tries integer not null default 0,
  claimed_until timestamptz,
  constraint deletions_pkey primary key (path),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[requested_at, run_after, claimed_until])
  )
)
-- A queue: rows come and go.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 100);

create index deletions_due on upload_pipeline.deletions (run_after);

comment on table upload_pipeline.deletions is
  'Objects that no document needs any more and that are still to be deleted from storage. A row is deleted when its '
  'object is gone, or when a new document needs the path.';
comment on column upload_pipeline.deletions.run_after is
  'Later than any write of the object that was going on when the document was erased.';
comment on column upload_pipeline.deletions.claimed_until is
  'The object may be deleted at any moment until then, and no document may have this path. Null: never claimed.';
