-- What Hookline adds where it finds Supabase, and nothing on a plain Postgres: hookline_api.sql decides which it is.
-- Safe to run again, should Supabase or its Realtime come later:
--
--   PGOPTIONS='-c lock_timeout=2s' psql -1 -v ON_ERROR_STOP=1 -f db/supabase/install.sql
--
-- Created as the installer, because hookline_owner may not look into auth and realtime.
\ir hookline_api.sql
\ir row_security.sql
\ir my_jobs.sql
\ir my_events.sql
\ir create_job.sql
\ir backend.sql
\ir broadcast.sql
