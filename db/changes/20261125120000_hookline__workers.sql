-- Workers: leases, retries by data, a budget.
\ir ../as_owner.sql
\ir ../lock_tables.sql

alter table upload_pipeline.statuses
  add column retry_base interval not null default '3 seconds',
  add column retry_cap interval not null default '300 seconds',
  add column max_tries integer not null default 3,
  add column failure_code text,
  add column paused_until timestamptz,
  add column paused_because text,
  add constraint retries_wait_longer_up_to_a_cap check (
    interval '0' < retry_base and retry_base <= retry_cap and retry_cap <= interval '31 days'
  ),
  add constraint max_tries_counts_from_one check (max_tries >= 1),
  add constraint finished_work_does_not_fail check (not terminal or failure_code is null),
  add constraint pause_is_whole check ((paused_until is null) = (paused_because is null)),
  add constraint failure_code_is_known foreign key (failure_code) references upload_pipeline.event_codes (code)
    deferrable initially deferred;

comment on column upload_pipeline.statuses.overdue_after is
  'How long is too long; null: may stay for ever. An overdue job that is not claimable is claimed all the same, to be asked about.';
comment on column upload_pipeline.statuses.retry_base is
  'The pause after the first failed try; each later one is twice as long, give or take a quarter.';
comment on column upload_pipeline.statuses.retry_cap is 'The longest pause, give or take a quarter.';
comment on column upload_pipeline.statuses.max_tries is 'So many failed tries in a row, and the job fails for good. Three expired leases weigh as one.';
comment on column upload_pipeline.statuses.failure_code is
  'The event that ends a job here for good; null: it is tried again for ever.';
comment on column upload_pipeline.statuses.paused_until is 'No job here is claimed before; null: not paused.';
comment on column upload_pipeline.statuses.paused_because is 'Why.';

create index upload_jobs_to_ask on upload_pipeline.upload_jobs (status, deadline_at)
  where not claimable and upload_confirmed and lease_token is null and deadline_at is not null;

-- Or a claim of what is to be asked about would read it instead, and every job of another status that is late.
drop index upload_pipeline.upload_jobs_by_deadline;

create index webhook_deliveries_by_source on upload_pipeline.webhook_deliveries (source, first_seen);

\ir ../tables/credit_caps.sql
\ir ../tables/credit_reservations.sql

-- The new statuses, steps and words; what is there stays.
\ir ../pipelines/parse.sql

-- Those of pipelines/rag.sql, and somebody's own.
update upload_pipeline.statuses as s
   set failure_code = f.code
  from (
    values ('parse_validated', 'chunking_failed'),
           ('chunking', 'chunking_failed'),
           ('chunks_stored', 'embedding_failed'),
           ('embedding_queued', 'embedding_failed'),
           ('embedding_in_progress', 'embedding_failed')
  ) as f (status, code)
  join upload_pipeline.event_codes as c on c.code = f.code
 where s.status = f.status;

insert into upload_pipeline.transitions (from_status, to_status, event_type)
select s.status, s.status, 'retry'
  from upload_pipeline.statuses as s
 where not s.terminal
on conflict do nothing;

drop function upload_pipeline.backoff(integer);
\ir ../functions/internal/clock.sql
\ir ../functions/internal/lease/backoff.sql
\ir ../functions/internal/step/next_step.sql
\ir ../functions/internal/step/take_step.sql
\ir ../functions/internal/lease/lock_leased_job.sql
\ir ../functions/internal/lease/require_error.sql
\ir ../functions/internal/lease/tries_since_arrival.sql
\ir ../functions/internal/lease/give_back.sql
\ir ../functions/internal/lease/count_try.sql
\ir ../functions/internal/lease/sweep_leases.sql
\ir ../functions/internal/credit/charge_caps.sql
\ir ../functions/worker/claim_jobs.sql
\ir ../functions/worker/heartbeat.sql
\ir ../functions/worker/release_lease.sql
\ir ../functions/worker/advance_job.sql
\ir ../functions/worker/fail_job.sql
\ir ../functions/worker/defer_job.sql
\ir ../functions/worker/pause_stage.sql
\ir ../functions/worker/apply_parked.sql
\ir ../functions/worker/reserve_credits.sql
\ir ../functions/worker/settle_credits.sql
\ir ../functions/worker/claim_reservations.sql
\ir ../functions/operator/confirm_upload.sql
\ir ../functions/operator/retry_job.sql
\ir ../functions/operator/purge.sql
\ir ../functions/operator/resume_stage.sql
\ir ../functions/operator/set_credit_cap.sql

\ir ../views/job_overview.sql
\ir ../views/queue_health.sql
\ir ../views/credit_status.sql
\ir ../views/alerts.sql

\ir ../as_installer.sql
