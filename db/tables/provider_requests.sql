create table upload_pipeline.provider_requests (
  provider text not null,
  parse_job_id text not null,
  kind text not null,
  requested_at timestamptz not null default upload_pipeline.clock(),
  run_after timestamptz default upload_pipeline.clock(),
  tries integer not null default 0,
  done_at timestamptz,
  result text,
  last_error text,
  constraint provider_requests_pkey primary key (parse_job_id, provider, kind),
  constraint provider_is_a_word check (length(provider) <= 63 and provider ~ '^[a-z][a-z0-9_]*$'),
  constraint parse_job_id_is_1_to_200_characters check (length(parse_job_id) between 1 and 200),
  constraint kind_is_cancel_or_delete check (kind in ('cancel', 'delete')),
  constraint result_is_known check (result in ('done', 'ended', 'unknown', 'not_offered', 'by_hand')),
  constraint done_request_has_a_result check ((done_at is null) = (result is null)),
  constraint done_request_is_not_due check (done_at is null or run_after is null),
  constraint refused_request_says_why check (run_after is not null or done_at is not null or last_error is not null),
  constraint last_error_is_a_code check (last_error ~ '^\w{1,100}$'),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]' @> all (array[requested_at, run_after, done_at])
  )
)
-- A queue: rows are written several times, and purge deletes them.
with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 100);

create index provider_requests_open on upload_pipeline.provider_requests (provider, run_after)
  where done_at is null;

create index provider_requests_done on upload_pipeline.provider_requests (done_at)
  where done_at is not null;

comment on table upload_pipeline.provider_requests is
  'What a provider is still to do for us, or has done: cancel a job there, or delete it with its file and result. '
  'It has no foreign key to the job and nothing of the document, because a request outlives both. purge deletes old '
  'rows that are done.';
comment on column upload_pipeline.provider_requests.run_after is
  'When a worker sends it next. Null: it is done, or the provider has refused it and it waits for a person.';
comment on column upload_pipeline.provider_requests.result is
  'done: the provider did it. ended: the job had ended, so there was nothing to cancel. unknown: the provider does '
  'not know the job. not_offered: the provider has no such call, and forgets the job by its own rules. by_hand: '
  'somebody said so by settle_provider_requests.';
comment on column upload_pipeline.provider_requests.last_error is
  'The code of the last failure. Not the provider''s text, which may quote the document.';

alter table upload_pipeline.provider_requests enable row level security;
