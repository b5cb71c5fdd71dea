"""The database of `hookline up`: its migrations, and a login role for each process."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from hookline.postgres.migrations import migrate

__all__ = ["prepare_database"]

_DATABASE = "hookline"
# Login role -> the role whose rights it has.
_LOGINS = {
    "receiver": "hookline_ingest",
    "worker": "hookline_worker",
    "operator": "hookline_operator",
}


def prepare_database(superuser: str) -> dict[str, str]:
    """Make what is missing: database, migrations, login roles. Returns the URL of each login.

    `superuser` is the superuser's URL, which no other part needs. The passwords of the logins are
    new at each call. Raises MigrationError.
    """
    database = urlsplit(superuser)._replace(path=f"/{_DATABASE}")
    with psycopg.connect(superuser, autocommit=True, options="") as connection:
        found = connection.execute(
            "select from pg_catalog.pg_database where datname = %s", [_DATABASE]
        )
        if found.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(_DATABASE)))
    migrate(database.geturl())
    passwords = {login: secrets.token_urlsafe(24) for login in _LOGINS}
    with psycopg.connect(database.geturl(), options="") as connection:
        for login, role in _LOGINS.items():
            _make_login(connection, login, role, passwords[login])
        # `hookline doctor` runs as operator and reads which migrations are applied.
        connection.execute("grant usage on schema supabase_migrations to operator")
        connection.execute("grant select on supabase_migrations.schema_migrations to operator")
    where = f"{database.hostname}:{database.port}"
    return {
        login: database._replace(netloc=f"{login}:{password}@{where}").geturl()
        for login, password in passwords.items()
    }


def _make_login(
    connection: psycopg.Connection[tuple[object, ...]], login: str, role: str, password: str
) -> None:
    found = connection.execute("select from pg_catalog.pg_roles where rolname = %s", [login])
    if found.fetchone() is None:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(login)))
    # The server may log the statement, so it holds the verifier and not the password.
    verifier = connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier))
    )
    connection.execute(
        sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(login))
    )
