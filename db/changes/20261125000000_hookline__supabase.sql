-- Row security, pinned paths, and what Hookline adds where it finds Supabase.
\ir ../as_owner.sql
\ir ../lock_tables.sql
\ir ../tables/row_security.sql
\ir ../views/stored_objects.sql

-- Only the owner calls most of these, but every function has its search_path pinned (Supabase's advisor 0011).
\ir ../functions/accepts_content.sql
\ir ../functions/answers_earlier_attempt.sql
\ir ../functions/apply_report.sql
\ir ../functions/clock.sql
\ir ../functions/find_applied_delivery.sql
\ir ../functions/keep_content.sql
\ir ../functions/lock_answered_job.sql
\ir ../functions/lock_job.sql
\ir ../functions/lock_provider_job.sql
\ir ../functions/next_step.sql
\ir ../functions/note_provider_job.sql
\ir ../functions/queue_deletion.sql
\ir ../functions/receipt_of.sql
\ir ../functions/record_delivery.sql
\ir ../functions/require_delivery.sql
\ir ../functions/require_report.sql
\ir ../functions/settle_undecided_content.sql
\ir ../functions/take_step.sql
\ir ../functions/transition.sql
\ir ../functions/try_transition.sql
\ir ../functions/uuid7.sql

\ir ../as_installer.sql
\ir ../supabase/install.sql
