-- The login roles of compose.yaml: receiver, worker, and backend for operators. Run it after
-- `hookline migrate`, and again after a password has changed.
\set receiver_password `cat "${SECRETS:-/run/secrets}/receiver_password"`
\set worker_password `cat "${SECRETS:-/run/secrets}/worker_password"`
\set backend_password `cat "${SECRETS:-/run/secrets}/backend_password"`

select format('create role %I login in role %I', login, granted)
  from (
    values ('receiver', 'hookline_ingest'), ('worker', 'hookline_worker'), ('backend', 'hookline_operator')
  ) as wanted (login, granted)
 where not exists (select from pg_roles where rolname = login)
\gexec

alter role receiver password :'receiver_password';
alter role worker password :'worker_password';
alter role backend password :'backend_password';
