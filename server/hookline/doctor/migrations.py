"""Check that the database has the migrations of this version of Hookline."""

from __future__ import annotations

import psycopg

from hookline.doctor.check import Check, count
from hookline.doctor.login import Login, unseen
from hookline.postgres import migrations
from hookline.postgres.migrations import MigrationError
from hookline.postgres.session import connection_arguments

__all__ = ["check_migrations"]

# The installer may not have been the owner of the history: see db/history_grants.sql.
_NOT_GRANTED = (
    "Not checked: role {name} may not read supabase_migrations.schema_migrations. As its owner, run"
    " `grant usage on schema supabase_migrations to hookline_reader` and `grant select (version,"
    " name) on supabase_migrations.schema_migrations to hookline_reader`."
)


def check_migrations(conninfo: str, login: Login) -> Check:
    """One row. It blocks: run it in a thread."""
    try:
        with psycopg.connect(
            conninfo, **connection_arguments(conninfo, "hookline"), prepare_threshold=None
        ) as connection:
            pending = migrations.pending(connection)
    except MigrationError as error:
        # A newer database is a fault. A role that may not read the history is not.
        if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
            if "hookline_reader" in login.roles:
                return Check("migrations", "warning", _NOT_GRANTED.format(name=login.name))
            return unseen(login, "migrations", "hookline_reader")
        return Check("migrations", "fault", str(error))
    except psycopg.Error as error:
        return Check("migrations", "fault", f"The history cannot be read: {type(error).__name__}.")
    if pending:
        return Check(
            "migrations",
            "fault",
            f"{count(len(pending), 'migration')} not applied, the first is"
            f" {pending[0].version}_{pending[0].name}: run `hookline migrate`.",
        )
    return Check("migrations", "ok", "The database has every migration of this Hookline.")
