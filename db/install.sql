-- Hookline in a fresh database, Postgres 15 or later:
--
--   psql -v ON_ERROR_STOP=1 -f db/install.sql
--
-- This is the table of contents; read it from top to bottom. A document has jobs, a job has events: each
-- event is one step of the job's version, and the triggers refuse one without the other. Webhooks enter by
-- receive_event and receive_content; every way a job can move ends in write_step, along a row of transitions.

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
\ir types/storage_path.sql
\ir types/receipt.sql
\ir types/step.sql

-- Time and ids
\ir functions/internal/clock.sql
\ir functions/internal/in_utc.sql
\ir functions/internal/uuid7.sql
\ir functions/internal/check_correlation_id.sql
\ir functions/internal/lease/backoff.sql

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
\ir functions/internal/step/lock_job.sql
\ir functions/internal/lease/end_lease.sql
\ir functions/internal/step/resolve_step.sql
\ir functions/internal/step/write_step.sql
\ir functions/internal/step/move_job.sql
\ir functions/internal/step/move_job_or_raise.sql
\ir functions/internal/step/receipt_of.sql

-- Private: what a delivery says, and of whom
\ir functions/internal/delivery/check_delivery_arguments.sql
\ir functions/internal/delivery/lock_provider_job.sql
\ir functions/internal/delivery/lock_answered_job.sql
\ir functions/internal/delivery/link_provider_job.sql
\ir functions/internal/delivery/answer_is_stale.sql
\ir functions/internal/delivery/touch_applied_delivery.sql
\ir functions/internal/delivery/record_delivery.sql
\ir functions/internal/delivery/apply_report.sql
\ir functions/internal/delivery/apply_parked_reports.sql
\ir functions/internal/content/content_still_wanted.sql
\ir functions/internal/content/keep_content.sql
\ir functions/internal/content/drop_unrecognised_content.sql
\ir functions/internal/content/queue_deletion.sql

-- hookline_ingest
\ir functions/ingest/receive_event.sql
\ir functions/ingest/receive_content.sql
\ir functions/ingest/finish_content.sql
\ir functions/ingest/claim_contents.sql
\ir functions/ingest/claim_deletions.sql
\ir functions/ingest/finish_deletion.sql

-- Private: leases and tries
\ir functions/internal/lease/lock_leased_job.sql
\ir functions/internal/lease/check_error_argument.sql
\ir functions/internal/lease/tries_since_arrival.sql
\ir functions/internal/lease/reschedule_in_place.sql
\ir functions/internal/lease/retry_or_fail.sql
\ir functions/internal/lease/sweep_leases.sql
\ir functions/internal/credit/check_credits_argument.sql
\ir functions/internal/credit/sum_credits.sql
\ir functions/internal/credit/copy_default_caps.sql
\ir functions/internal/credit/charge_caps.sql

-- hookline_worker
\ir functions/worker/claim_jobs.sql
\ir functions/worker/heartbeat.sql
\ir functions/worker/release_lease.sql
\ir functions/worker/advance_job.sql
\ir functions/worker/fail_job.sql
\ir functions/worker/defer_job.sql
\ir functions/worker/pause_stage.sql
\ir functions/worker/apply_parked.sql
\ir functions/worker/reserve_credits.sql
\ir functions/worker/settle_credits.sql
\ir functions/worker/claim_reservations.sql
\ir functions/worker/record_submission.sql

-- hookline_operator
\ir functions/operator/create_job.sql
\ir functions/operator/confirm_upload.sql
\ir functions/operator/retry_job.sql
\ir functions/operator/cancel_job.sql
\ir functions/operator/release_job.sql
\ir functions/operator/read_content.sql
\ir functions/operator/accept_content.sql
\ir functions/operator/discard_content.sql
\ir functions/operator/purge.sql
\ir functions/operator/erase_document.sql
\ir functions/operator/check_integrity.sql
\ir functions/operator/resume_stage.sql
\ir functions/operator/set_credit_cap.sql

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
