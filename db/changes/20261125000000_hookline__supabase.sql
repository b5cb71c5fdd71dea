-- Row security, pinned paths, and what Hookline adds where it finds Supabase.
\ir ../as_owner.sql
\ir ../lock_tables.sql
\ir ../tables/row_security.sql
\ir ../views/stored_objects.sql

-- Only the owner calls most of these, but every function has its search_path pinned (Supabase's advisor 0011).
\ir ../functions/internal/content/accepts_content.sql
\ir ../functions/internal/delivery/answers_earlier_attempt.sql
\ir ../functions/internal/delivery/apply_report.sql
\ir ../functions/internal/clock.sql
\ir ../functions/internal/delivery/find_applied_delivery.sql
\ir ../functions/internal/content/keep_content.sql
\ir ../functions/internal/delivery/lock_answered_job.sql
\ir ../functions/internal/step/lock_job.sql
\ir ../functions/internal/delivery/lock_provider_job.sql
\ir ../functions/internal/step/next_step.sql
\ir ../functions/internal/delivery/note_provider_job.sql
\ir ../functions/internal/content/queue_deletion.sql
\ir ../functions/internal/step/receipt_of.sql
\ir ../functions/internal/delivery/record_delivery.sql
\ir ../functions/internal/delivery/require_delivery.sql
\ir ../functions/internal/delivery/require_report.sql
\ir ../functions/internal/content/settle_undecided_content.sql
\ir ../functions/internal/step/take_step.sql
\ir ../functions/internal/step/transition.sql
\ir ../functions/internal/step/try_transition.sql
\ir ../functions/internal/uuid7.sql

\ir ../as_installer.sql
\ir ../supabase/install.sql
