-- What Hookline adds if the database is Supabase's; on a plain Postgres this adds nothing. hookline_api.sql decides.
-- Safe to run again, for example when Supabase or its Realtime was added later:
--
--   PGOPTIONS='-c lock_timeout=2s' psql -1 -v ON_ERROR_STOP=1 -f db/supabase/install.sql
--
-- Created as the installer, because hookline_owner may not use the schemas auth and realtime.
\ir hookline_api.sql
\ir row_security.sql
\ir my_jobs.sql
\ir my_events.sql
\ir jobs.sql
\ir artifacts.sql
\ir create_job.sql
\ir backend.sql
\ir broadcast.sql
\ir search_path.sql
