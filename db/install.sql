-- Hookline in a fresh database, Postgres 15 or later:
--
--   psql -v ON_ERROR_STOP=1 -f db/install.sql
--
-- This is the table of contents; read it from top to bottom. A document has jobs, a job has events: each
-- event is one step of the job's version, and the triggers refuse one without the other. Webhooks enter by
-- receive_event and receive_content; every way a job can move ends in take_step, along a row of transitions.

\set ON_ERROR_STOP on
begin;

\ir roles.sql
\ir as_owner.sql
\ir schema.sql

-- Words
\ir types/event_type.sql
\ir types/severity.sql
\ir types/outcome.sql
\ir types/sha256_hex.sql
\ir types/correlation_id.sql
\ir types/receipt.sql

-- Time and ids
\ir functions/clock.sql
\ir functions/uuid7.sql
\ir functions/backoff.sql

-- The state machine, as data
\ir tables/error_codes.sql
\ir tables/statuses.sql
\ir tables/transitions.sql
\ir tables/event_codes.sql
\ir pipelines/parse.sql

-- Jobs and their history
\ir tables/documents.sql
\ir tables/upload_jobs.sql
\ir tables/events.sql
\ir tables/provider_jobs.sql

-- What came in, what waits for storage
\ir tables/contents.sql
\ir tables/webhook_deliveries.sql
\ir tables/deletions.sql

-- What parsing may cost
\ir tables/credit_caps.sql
\ir tables/credit_reservations.sql

\ir tables/row_security.sql

-- A status and its event are one
\ir triggers/job_moves_by_events.sql
\ir triggers/job_is_born_with_its_history.sql
\ir triggers/event_moves_its_job.sql
\ir triggers/events_are_append_only.sql

-- Private: one job, one step
\ir functions/lock_job.sql
\ir functions/next_step.sql
\ir functions/take_step.sql
\ir functions/try_transition.sql
\ir functions/transition.sql
\ir functions/receipt_of.sql

-- Private: what a delivery says, and of whom
\ir functions/require_delivery.sql
\ir functions/require_report.sql
\ir functions/lock_provider_job.sql
\ir functions/lock_answered_job.sql
\ir functions/note_provider_job.sql
\ir functions/answers_earlier_attempt.sql
\ir functions/find_applied_delivery.sql
\ir functions/record_delivery.sql
\ir functions/apply_report.sql
\ir functions/accepts_content.sql
\ir functions/keep_content.sql
\ir functions/settle_undecided_content.sql
\ir functions/queue_deletion.sql

-- hookline_ingest
\ir functions/receive_event.sql
\ir functions/receive_content.sql
\ir functions/finish_content.sql
\ir functions/claim_contents.sql
\ir functions/claim_deletions.sql
\ir functions/finish_deletion.sql

-- Private: leases and tries
\ir functions/lock_leased_job.sql
\ir functions/require_error.sql
\ir functions/tries_since_arrival.sql
\ir functions/give_back.sql
\ir functions/count_try.sql
\ir functions/sweep_leases.sql
\ir functions/charge_caps.sql

-- hookline_worker
\ir functions/claim_jobs.sql
\ir functions/heartbeat.sql
\ir functions/release_lease.sql
\ir functions/advance_job.sql
\ir functions/fail_job.sql
\ir functions/defer_job.sql
\ir functions/pause_stage.sql
\ir functions/apply_parked.sql
\ir functions/reserve_credits.sql
\ir functions/settle_credits.sql
\ir functions/claim_reservations.sql
\ir functions/record_submission.sql

-- hookline_operator
\ir functions/create_job.sql
\ir functions/confirm_upload.sql
\ir functions/retry_job.sql
\ir functions/cancel_job.sql
\ir functions/release_job.sql
\ir functions/read_content.sql
\ir functions/accept_content.sql
\ir functions/discard_content.sql
\ir functions/purge.sql
\ir functions/erase_document.sql
\ir functions/check_integrity.sql
\ir functions/resume_stage.sql
\ir functions/set_credit_cap.sql

-- hookline_reader
\ir views/job_overview.sql
\ir views/job_timeline.sql
\ir views/failed_jobs.sql
\ir views/queue_health.sql
\ir views/stage_latency.sql
\ir views/delivery_log.sql
\ir views/stored_objects.sql
\ir views/credit_status.sql
\ir views/alerts.sql

\ir as_installer.sql

-- At home in Supabase; nothing on a plain Postgres
\ir supabase/install.sql

-- What the Supabase CLI and `hookline migrate` look at
\ir history.sql

commit;
