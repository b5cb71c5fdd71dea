"""`hookline migrate`: apply the migrations of this version to a database."""

from __future__ import annotations

from typing import Annotated

import psycopg
import typer

from hookline.cli.output import print_json, print_table, say
from hookline.postgres import migrations
from hookline.postgres.connecting import connection_failed
from hookline.settings import load

__all__ = ["migrate"]


def migrate(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each migration applied.")
    ] = False,
) -> None:
    """Apply the migrations that the database does not have yet.

    It needs a login role with CREATE on the database and CREATEROLE. Running it twice, or two at
    the same time, does no harm.

    Example: DATABASE_URL=postgresql://postgres:password@localhost/app hookline migrate
    """
    conninfo = load().require_database()
    try:
        applied = migrations.migrate(conninfo)
    except psycopg.OperationalError as error:
        raise connection_failed(conninfo, error) from error
    if as_json:
        for migration in applied:
            print_json({"version": migration.version, "name": migration.name})
    elif applied:
        print_table(["version", "applied"], [(one.version, one.name) for one in applied])
    else:
        say("Nothing to apply: the database is up to date.")
