create table upload_pipeline.provider_jobs (
  provider text not null default 'llamacloud',
  parse_job_id text not null,
  job_id uuid not null,
  attempt integer not null,
  recorded_at timestamptz not null default upload_pipeline.clock(),
  constraint provider_jobs_pkey primary key (parse_job_id, provider),
  constraint provider_job_is_of_a_job foreign key (job_id)
    references upload_pipeline.upload_jobs (job_id) on delete cascade,
  constraint provider_is_a_word check (length(provider) <= 63 and provider ~ '^[a-z][a-z0-9_]*$'),
  constraint parse_job_id_is_1_to_200_characters check (length(parse_job_id) between 1 and 200),
  constraint attempt_counts_from_one check (attempt >= 1),
  constraint times_are_between_2000_and_9999 check (
    recorded_at <@ tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
  )
);

create index provider_jobs_by_job on upload_pipeline.provider_jobs (job_id, attempt);

comment on table upload_pipeline.provider_jobs is
  'The providers'' own ids, and which attempt of which job each belongs to. Two providers may use the same id. An '
  'attempt may have several, when a submission was repeated because no answer came.';
