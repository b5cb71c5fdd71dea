"""Check the database: its version, encoding, and that it has Hookline and can be written."""

from __future__ import annotations

from hookline.doctor.check import Check
from hookline.doctor.login import Login
from hookline.postgres import migrations
from hookline.postgres.migrations import MigrationError

__all__ = ["check_database"]


def check_database(login: Login) -> tuple[Check, bool]:
    """The row, and whether the checks of what is in the database can run."""
    try:
        migrations.require_supported(login.version_number)
        migrations.require_utf8(login.database, login.encoding)
    except MigrationError as error:
        return Check("database", "fault", str(error)), False
    if not login.has_schema:
        fault = (
            f"Database {login.database} (PostgreSQL {login.version}) does not have Hookline:"
            " run `hookline migrate`."
        )
        return Check("database", "fault", fault), False
    if login.standby:
        fault = (
            f"The server of {login.database} is a standby, which only reads: set DATABASE_URL to"
            " the primary."
        )
        return Check("database", "fault", fault), True
    if login.read_only:
        fault = (
            f"Transactions in {login.database} only read: set default_transaction_read_only to off"
            f" for the database and for role {login.name}."
        )
        return Check("database", "fault", fault), True
    found = f"Hookline is in {login.database}, PostgreSQL {login.version}."
    return Check("database", "ok", found), True
