-- Installs Hookline in a fresh database, Postgres 15 or later:
--
--   psql -v ON_ERROR_STOP=1 -f db/install.sql
--
-- This is the table of contents; read it from top to bottom. A document has jobs, and a job has events. Each event is
-- one step: it raises the version of its job by one, and triggers refuse a step without its event. Webhooks enter by
-- receive_event and receive_content. Workers claim jobs with claim_jobs and end each try with advance_job, fail_job or
-- defer_job. Whoever moves a job asks resolve_step, which reads the transitions, and write_step carries it out.

\set ON_ERROR_STOP on
begin;

-- Roles, and a schema that hookline_owner owns
\ir roles.sql
\ir as_owner.sql
\ir schema.sql

-- Types that columns and functions share
\ir types/event_type.sql
\ir types/severity.sql
\ir types/outcome.sql
\ir types/sha256_hex.sql
\ir types/correlation_id.sql
\ir types/storage_path.sql
\ir types/small_object.sql
\ir types/receipt.sql
\ir types/step.sql
\ir types/delivery.sql
\ir types/answer.sql

-- Time, ids and checks that all the others use
\ir functions/internal/clock.sql
\ir functions/internal/in_utc.sql
\ir functions/internal/uuid7.sql
\ir functions/internal/check_isolation.sql
\ir functions/internal/check_correlation_id.sql
\ir functions/internal/provider_of.sql

-- The state machine, as data
\ir tables/error_codes.sql
\ir tables/statuses.sql
\ir tables/transitions.sql
\ir tables/event_codes.sql
\ir triggers/initial_status_is_remembered.sql
\ir triggers/one_status_is_initial.sql
\ir pipelines/parse.sql

-- Documents, their jobs, and the history of each job
\ir tables/providers.sql
\ir tables/provider_pauses.sql
\ir tables/documents.sql
\ir tables/job_groups.sql
\ir tables/upload_jobs.sql
\ir tables/owner_settings.sql
\ir types/move.sql
\ir tables/events.sql
\ir tables/provider_jobs.sql
\ir tables/notifications.sql
\ir tables/fallbacks.sql

-- Content that was received, webhooks that were received, objects to delete
\ir tables/contents.sql
\ir tables/artifacts.sql
\ir tables/webhook_deliveries.sql
\ir tables/deletions.sql
\ir tables/provider_requests.sql
\ir tables/refused_deliveries.sql

-- What operators did
\ir tables/operator_actions.sql
\ir functions/internal/record_action.sql

-- What happened, counted
\ir tables/activity_counts.sql
\ir views/status_counts.sql

-- Credits: what parsing may cost, and what it did cost
\ir tables/credit_caps.sql
\ir tables/credit_reservations.sql

-- Row security for all tables
\ir tables/row_security.sql

-- Triggers: a status never changes without its event, and history never changes
\ir triggers/job_moves_by_events.sql
\ir triggers/later_jobs_are_scheduled.sql
\ir triggers/job_is_born_with_its_history.sql
\ir triggers/event_moves_its_job.sql
\ir triggers/events_are_append_only.sql

-- Triggers: each step is counted
\ir triggers/steps_are_counted.sql
\ir triggers/deleted_jobs_are_counted.sql

-- Internal: one step of one job
\ir functions/internal/step/lock_job.sql
\ir functions/internal/step/resolve_step.sql
\ir functions/internal/step/content_is_waiting.sql
\ir functions/internal/step/fall_back.sql
\ir functions/internal/step/leave_attempt.sql
\ir functions/internal/step/write_steps.sql
\ir functions/internal/step/write_step.sql
\ir functions/internal/step/move_job.sql
\ir functions/internal/step/move_job_or_raise.sql
\ir functions/internal/step/receipt_of.sql

-- Internal: leases, tries and backoff
\ir functions/internal/lease/lock_leased_job.sql
\ir functions/internal/lease/end_lease.sql
\ir functions/internal/lease/backoff.sql
\ir functions/internal/lease/tries_since_arrival.sql
\ir functions/internal/lease/check_error_argument.sql
\ir functions/internal/lease/reschedule_in_place.sql
\ir functions/internal/lease/retry_or_fail.sql
\ir functions/internal/lease/sweep_leases.sql
\ir functions/internal/lease/is_at_cap.sql
\ir functions/internal/lease/limit_shares.sql
\ir functions/internal/lease/stage_jobs.sql
\ir functions/internal/lease/owner_after.sql
\ir functions/internal/lease/lock_due_jobs.sql
\ir functions/internal/lease/lock_overdue_jobs.sql
\ir functions/internal/lease/lock_early_jobs.sql

-- Internal: what a delivery says, and which job it is about
\ir functions/internal/delivery/invalid_argument_of.sql
\ir functions/internal/delivery/check_delivery_arguments.sql
\ir functions/internal/delivery/lock_provider_job.sql
\ir functions/internal/delivery/lock_answered_job.sql
\ir functions/internal/delivery/answered_attempt.sql
\ir functions/internal/delivery/answer_is_stale.sql
\ir functions/internal/delivery/raise_conflict.sql
\ir functions/internal/delivery/touch_applied_delivery.sql
\ir functions/internal/delivery/record_delivery.sql
\ir functions/internal/delivery/report_step.sql
\ir functions/internal/delivery/apply_report.sql
\ir functions/internal/delivery/link_provider_job.sql
\ir functions/internal/delivery/apply_parked_reports.sql
\ir functions/internal/delivery/take_deliveries.sql
\ir functions/internal/delivery/refuse_delivery.sql

-- Internal: what a provider is to cancel or delete
\ir functions/internal/queue_provider_request.sql
\ir functions/internal/queue_requests_of_jobs.sql

-- Internal: content that is kept until it is stored
\ir functions/internal/content/content_still_wanted.sql
\ir functions/internal/content/write_content.sql
\ir functions/internal/content/drop_unrecognised_content.sql
\ir functions/internal/content/queue_deletion.sql
\ir functions/internal/content/cancel_deletion.sql
\ir functions/internal/content/drop_artifacts.sql
\ir functions/internal/content/erase_documents.sql

-- Internal: groups of jobs
\ir functions/internal/group/join_group.sql
\ir functions/internal/group/announce_groups.sql

-- Internal: credits
\ir functions/internal/credit/check_credits_argument.sql
\ir functions/internal/credit/sum_credits.sql
\ir functions/internal/credit/copy_default_caps.sql
\ir functions/internal/credit/charge_caps.sql

-- Functions of hookline_ingest, for the receiver
\ir functions/ingest/receive_events.sql
\ir functions/ingest/receive_event.sql
\ir functions/ingest/receive_content.sql
\ir functions/ingest/keep_content.sql
\ir functions/ingest/finish_content.sql
\ir functions/ingest/claim_contents.sql
\ir functions/ingest/abandon_content.sql
\ir functions/ingest/claim_deletions.sql
\ir functions/ingest/finish_deletion.sql
\ir functions/ingest/count_refusals.sql
\ir functions/ingest/count_deliveries.sql
\ir functions/ingest/roll_up_activity.sql

-- Functions of hookline_worker
\ir functions/worker/claim_jobs.sql
\ir functions/worker/heartbeat.sql
\ir functions/worker/release_lease.sql
\ir functions/worker/advance_job.sql
\ir functions/worker/advance_jobs.sql
\ir functions/worker/fail_job.sql
\ir functions/worker/defer_job.sql
\ir functions/worker/pause_stage.sql
\ir functions/worker/apply_parked.sql
\ir functions/worker/reserve_credits.sql
\ir functions/worker/settle_credits.sql
\ir functions/worker/claim_reservations.sql
\ir functions/worker/record_submission.sql
\ir functions/worker/submitted_at.sql
\ir functions/worker/start_announcing.sql
\ir functions/worker/claim_notifications.sql
\ir functions/worker/finish_notifications.sql
\ir functions/worker/receive_artifacts.sql
\ir functions/worker/finish_artifacts.sql
\ir functions/worker/claim_provider_requests.sql
\ir functions/worker/finish_provider_request.sql
\ir functions/worker/fail_provider_request.sql

-- Functions of hookline_operator
\ir functions/internal/check_provider.sql
\ir functions/operator/create_job.sql
\ir functions/internal/create_users_job.sql
\ir functions/operator/close_group.sql
\ir functions/operator/confirm_upload.sql
\ir functions/operator/retry_job.sql
\ir functions/operator/cancel_job.sql
\ir functions/operator/release_job.sql
\ir functions/operator/read_content.sql
\ir functions/operator/accept_content.sql
\ir functions/operator/discard_content.sql
\ir functions/operator/settle_parked.sql
\ir functions/operator/settle_provider_requests.sql
\ir functions/internal/count_purgeable.sql
\ir functions/operator/purge.sql
\ir functions/operator/erase_document.sql
\ir functions/operator/erase_owner.sql
\ir functions/internal/differing_counts.sql
\ir functions/operator/check_integrity.sql
\ir functions/operator/recount_statuses.sql
\ir functions/operator/resume_stage.sql
\ir functions/operator/set_credit_cap.sql
\ir functions/operator/set_fallback.sql
\ir functions/operator/set_owner.sql
\ir functions/operator/retry_notifications.sql
\ir functions/operator/stop_announcing.sql

-- Views of hookline_reader
\ir views/job_overview.sql
\ir views/document_overview.sql
\ir views/job_timeline.sql
\ir views/failed_jobs.sql
\ir views/group_status.sql
\ir views/activity.sql
\ir views/overdue_counts.sql
\ir views/queue_health.sql
\ir views/stage_latency.sql
\ir views/delivery_log.sql
\ir views/refusal_log.sql
\ir views/delivery_activity.sql
\ir views/artifact_overview.sql
\ir views/stored_objects.sql
\ir views/notification_log.sql
\ir views/provider_request_log.sql
\ir views/credit_status.sql
\ir views/job_costs.sql
\ir views/workers.sql
\ir views/alerts.sql

-- What receivers and workers show to Prometheus, from these views
\ir functions/ingest/read_metrics.sql

\ir as_installer.sql

-- Supabase: adds nothing on a plain Postgres
\ir supabase/install.sql

-- The migration history, from which the Supabase CLI and `hookline migrate` continue
\ir history.sql
\ir history_grants.sql

commit;
