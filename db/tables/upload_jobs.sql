create table upload_pipeline.upload_jobs (
  job_id uuid not null default upload_pipeline.uuid7(),
  document_id uuid not null,
  owner_id uuid not null,
  status text not null,
  terminal boolean not null,
  failed boolean not null,
  claimable boolean not null,
  has_content boolean not null,
  upload_confirmed boolean not null,
  version integer not null default 1,
  attempt integer not null default 1,
  max_attempts integer not null default 3,
  run_after timestamptz not null default upload_pipeline.clock(),
  scheduled boolean not null default false,
  deadline_at timestamptz,
  lease_token uuid,
  leased_by text,
  leased_until timestamptz,
  correlation_id upload_pipeline.correlation_id not null,
  provider text,
  options upload_pipeline.small_object not null default '{}',
  metadata upload_pipeline.small_object not null default '{}',
  priority smallint not null default 0,
  group_id uuid,
  parsed_path text,
  parsed_sha256 upload_pipeline.sha256_hex,
  parsed_bytes bigint,
  last_error jsonb,
  created_at timestamptz not null default upload_pipeline.clock(),
  updated_at timestamptz not null default upload_pipeline.clock(),
  constraint upload_jobs_pkey primary key (job_id),
  -- document_id comes first, so that the index also finds the jobs of a document.
  constraint job_and_document_are_a_pair unique (document_id, job_id),
  -- A partial index cannot read another table, so the flags that a claim needs are copied here. Foreign keys keep them
  -- true.
  constraint status_is_known foreign key (status, terminal, failed, claimable, has_content)
    references upload_pipeline.statuses (status, terminal, failed, claimable, has_content)
    on update cascade,
  constraint job_is_of_a_document foreign key (document_id, owner_id, upload_confirmed)
    references upload_pipeline.documents (document_id, owner_id, upload_confirmed)
    on update cascade on delete cascade,
  constraint version_counts_from_one check (version >= 1),
  constraint attempt_counts_from_one check (attempt >= 1),
  constraint provider_is_known foreign key (provider) references upload_pipeline.providers (provider),
  constraint group_is_of_the_owner foreign key (owner_id, group_id)
    references upload_pipeline.job_groups (owner_id, group_id),
  constraint priority_is_0_to_9 check (priority between 0 and 9),
  constraint attempts_are_bounded check (attempt <= max_attempts),
  constraint lease_is_whole check (num_nulls(lease_token, leased_by, leased_until) in (0, 3)),
  constraint lease_needs_a_confirmed_upload check (lease_token is null or upload_confirmed),
  constraint finished_job_has_no_lease check (lease_token is null or not terminal),
  constraint content_is_whole check (num_nulls(parsed_path, parsed_sha256, parsed_bytes) in (0, 3)),
  constraint content_is_not_empty check (parsed_bytes > 0),
  constraint parsed_job_has_content check (parsed_path is not null or not has_content),
  constraint failed_job_says_why check (last_error is not null or not failed),
  constraint last_error_is_an_object check (jsonb_typeof(last_error) = 'object'),
  constraint times_are_between_2000_and_9999 check (
    tstzrange '[2000-01-01 00:00+00, 9999-01-01 00:00+00]'
    @> all (array[run_after, deadline_at, leased_until, created_at, updated_at])
  )
)
-- Every claim and step rewrites a row, and a claim reads past the dead entries of its index until vacuum has removed
-- them.
-- The default waits for a fifth of all jobs, most of which are finished and never change again.
with (
  autovacuum_vacuum_scale_factor = 0.02,
  autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.02
);

create unique index one_unfinished_job_a_document on upload_pipeline.upload_jobs (document_id)
  where not terminal;

-- What a claim may take: leased, finished, unconfirmed and scheduled jobs are not in this index. A claim goes from
-- owner to owner, and takes the highest priority of each first. It asks for each provider that it serves, and for '':
-- the jobs that name none.
create index upload_jobs_to_claim on upload_pipeline.upload_jobs (
  status, coalesce(provider, ''), owner_id, priority desc, run_after
)
  where claimable and upload_confirmed and lease_token is null and not scheduled;

-- Jobs that are due later. A claim stages them when their time has come.
create index upload_jobs_scheduled on upload_pipeline.upload_jobs (status, run_after)
  where scheduled and claimable and upload_confirmed and lease_token is null;

-- How many jobs of an owner run.
create index upload_jobs_running on upload_pipeline.upload_jobs (owner_id)
  where leased_by is not null;

create index upload_jobs_leased on upload_pipeline.upload_jobs (leased_until)
  where lease_token is not null;

-- Jobs that nobody holds, by their deadline: where they wait for somebody else's answer, a worker asks for it then. By
-- leased_by, which job_overview shows, so that a reader finds them, too.
create index upload_jobs_by_deadline on upload_pipeline.upload_jobs (status, deadline_at)
  where upload_confirmed and leased_by is null and deadline_at is not null;

-- The same where nobody works on the job, by the provider that a worker asks.
create index upload_jobs_to_ask on upload_pipeline.upload_jobs (status, coalesce(provider, ''), deadline_at)
  where not claimable and upload_confirmed and lease_token is null and deadline_at is not null;

-- The job of each status that waits longest, whatever the number of jobs.
create index upload_jobs_unfinished on upload_pipeline.upload_jobs (status, updated_at)
  where not terminal;

-- Jobs that wait for a file that was announced. purge deletes them; an alert shows those that have moved all the same.
create index upload_jobs_unconfirmed on upload_pipeline.upload_jobs (status, updated_at)
  where not terminal and not upload_confirmed;

-- The jobs that took a step last, and the finished ones that purge deletes.
create index upload_jobs_by_time on upload_pipeline.upload_jobs (updated_at);

-- The jobs of a group, and whether one is unfinished. Most jobs have no group.
create index upload_jobs_by_group on upload_pipeline.upload_jobs (group_id, terminal)
  where group_id is not null;

create index upload_jobs_failed on upload_pipeline.upload_jobs (updated_at)
  where failed;

comment on table upload_pipeline.upload_jobs is
  'One run of a document through the pipeline. Only write_step moves it. The database refuses a status without its '
  'event.';
comment on column upload_pipeline.upload_jobs.owner_id is 'The owner of the document. A foreign key keeps it true.';
comment on column upload_pipeline.upload_jobs.version is
  'How many steps the job has taken. Each step has the event of the same version.';
comment on column upload_pipeline.upload_jobs.attempt is
  'The current attempt, from 1. An answer to an earlier attempt is stale.';
comment on column upload_pipeline.upload_jobs.run_after is 'The job is not claimed before.';
comment on column upload_pipeline.upload_jobs.scheduled is
  'True: run_after was in the future when it was written, and no claim has staged the job since. A trigger sets it.';
comment on column upload_pipeline.upload_jobs.deadline_at is 'The job is overdue after this. Null: no limit.';
comment on column upload_pipeline.upload_jobs.provider is
  'The parser of the current attempt, or the one that was asked for. Null: none was, and no worker has claimed the job '
  'yet; the first parser of that worker will be written here.';
comment on column upload_pipeline.upload_jobs.options is 'What the parser is asked for: an object.';
comment on column upload_pipeline.upload_jobs.metadata is 'The application''s own: an object. Hookline only shows it.';
comment on column upload_pipeline.upload_jobs.priority is
  'From 0 to 9. Of the jobs of one owner that are due, the highest is claimed first.';
comment on column upload_pipeline.upload_jobs.group_id is
  'An id of the application that several jobs of one owner share: see job_groups.';
comment on column upload_pipeline.upload_jobs.lease_token is
  'The fencing token of the worker that holds the job. Null: nobody holds it.';
comment on column upload_pipeline.upload_jobs.parsed_bytes is 'Size of the parsed content in bytes.';
comment on column upload_pipeline.upload_jobs.last_error is
  'The last failure: {"code": text, "error": text, ...}. Kept until the next success.';
