create table upload_pipeline.webhook_deliveries (
  source text not null,
  -- By bytes, so that the key also finds ids by their beginning.
  delivery_id text collate "C" not null,
  first_seen timestamptz not null default upload_pipeline.clock(),
  last_seen timestamptz not null default upload_pipeline.clock(),
  times_seen integer not null default 1,
  body_sha256 upload_pipeline.sha256_hex not null,
  event_type text not null,
  outcome upload_pipeline.outcome not null,
  job_id uuid,
  content_ordinal integer,
  parse_job_id text,
  code text,
  payload jsonb not null default '{}',
  correlation_id upload_pipeline.correlation_id,
  check_after timestamptz,
  constraint webhook_deliveries_pkey primary key (delivery_id, source),
  constraint delivery_is_about_a_job foreign key (job_id)
    references upload_pipeline.upload_jobs (job_id) on delete cascade,
  constraint delivery_brought_a_content foreign key (job_id, content_ordinal)
    references upload_pipeline.contents (job_id, ordinal) on delete cascade,
  constraint code_is_known foreign key (code) references upload_pipeline.event_codes (code),
  constraint source_is_a_word check (length(source) <= 63 and source ~ '^[a-z][a-z0-9_]*$'),
  constraint delivery_id_is_1_to_200_characters check (length(delivery_id) between 1 and 200),
  constraint event_type_is_1_to_200_characters check (length(event_type) between 1 and 200),
  constraint times_seen_counts_from_one check (times_seen >= 1),
  constraint parked_delivery_waits_for_a_provider_job check (
    outcome <> 'parked'
    or (parse_job_id is not null and code is not null and job_id is null and check_after is not null)
  ),
  constraint kept_delivery_names_its_content check (
    outcome not in ('awaited', 'kept', 'unrecognised') or content_ordinal is not null
  ),
  -- A null job_id escapes the foreign key to contents.
  constraint brought_content_is_of_a_job check (content_ordinal is null or job_id is not null),
  constraint payload_is_an_object check (jsonb_typeof(payload) = 'object'),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[first_seen, last_seen, check_after])
  )
)
-- A repeated delivery changes no index. With room in its page the new row version needs no index entry either.
with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

create index webhook_deliveries_by_job on upload_pipeline.webhook_deliveries (job_id);

create index webhook_deliveries_by_source on upload_pipeline.webhook_deliveries (source, first_seen);

-- The newest of all sources. By first_seen, not last_seen: a repeated delivery changes no index then.
create index webhook_deliveries_by_time on upload_pipeline.webhook_deliveries (first_seen);

create index webhook_deliveries_parked on upload_pipeline.webhook_deliveries (check_after)
  where outcome = 'parked';

-- Parked, or without a meaning: what a provider job that becomes known, or is erased, has to find.
create index webhook_deliveries_of_no_job on upload_pipeline.webhook_deliveries (parse_job_id)
  where job_id is null and parse_job_id is not null;

create index webhook_deliveries_unrecognised on upload_pipeline.webhook_deliveries (first_seen)
  where outcome = 'unrecognised';

create index webhook_deliveries_to_expire on upload_pipeline.webhook_deliveries (first_seen)
  where job_id is null;

comment on table upload_pipeline.webhook_deliveries is
  'Every proven delivery, once for each (source, delivery_id). It is purged with its job. A delivery that never '
  'found a job (one of another application with the same key) is purged by its age.';
comment on column upload_pipeline.webhook_deliveries.delivery_id is
  'The sender''s id. It is compared by bytes (collation "C"), so that the key finds ids by their beginning, too. A '
  'text of the database''s collation joins with it; a column that has another collation of its own needs collate "C".';
comment on column upload_pipeline.webhook_deliveries.event_type is 'What the sender calls the event.';
comment on column upload_pipeline.webhook_deliveries.code is 'What the delivery means here. Null: nothing.';
comment on column upload_pipeline.webhook_deliveries.payload is
  'What the delivery says, without content. It becomes the payload of the event.';
comment on column upload_pipeline.webhook_deliveries.check_after is
  'When apply_parked checks again whether the provider job is known. Only parked deliveries have it.';
