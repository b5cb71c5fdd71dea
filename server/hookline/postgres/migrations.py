"""Apply the migrations of this version to any Postgres, recorded in the Supabase CLI's history.

`hookline migrate`, `supabase db push` and `psql -f db/install.sql` write the same rows, so each can
continue where another stopped. An application may have rows in the same history: only rows with
names `hookline__...` are Hookline's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from hookline.postgres.session import connection_arguments

if TYPE_CHECKING:
    from psycopg.rows import TupleRow

OLDEST_POSTGRES = 15

# The statements of the Supabase CLI 2.117.0.
_CREATE_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key
);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""


class MigrationError(Exception):
    """A migration was refused and rolled back. The message is a sentence for people."""


@dataclass(frozen=True)
class Migration:
    """One file of supabase/migrations: `<version>_<name>.sql`."""

    version: str
    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def directory() -> Path:
    """The directory of the files: inside an installed package, or else in the repository."""
    module = Path(__file__).resolve()
    for candidate in (
        module.parents[1] / "migrations",
        module.parents[3] / "supabase" / "migrations",
    ):
        if any(candidate.glob("*.sql")):
            return candidate
    raise MigrationError("This installation of hookline holds no migrations: install it again.")


def available() -> list[Migration]:
    """Every migration of this version of Hookline, oldest first."""
    migrations = []
    for path in sorted(directory().glob("*.sql")):
        version, _, name = path.stem.partition("_")
        migrations.append(Migration(version, name, path))
    return migrations


def applied(conn: psycopg.Connection[TupleRow]) -> list[str]:
    """The versions of Hookline's migrations that the database has, oldest first.

    Raises MigrationError when this version of Hookline does not know one of them: the database is
    newer than this code, or older than the first version that can be upgraded.
    """
    try:
        table = conn.execute(
            "select to_regclass('supabase_migrations.schema_migrations')"
        ).fetchone()
        if table is None or table[0] is None:
            return []
        # Early versions of the Supabase CLI made the table without the column `name`.
        named = conn.execute(
            "select from pg_catalog.pg_attribute where attname = 'name' and not attisdropped"
            " and attrelid = 'supabase_migrations.schema_migrations'::regclass"
        ).fetchone()
        name = "coalesce(name, '')" if named is not None else "''"
        rows = conn.execute(
            f"select version, {name} from supabase_migrations.schema_migrations"  # noqa: S608
            " order by version"
        ).fetchall()
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"Role {conn.info.user} cannot read the migration history of database"
            f" {conn.info.dbname} ({error.diag.message_primary}): connect as the role that"
            " installed Hookline."
        ) from error
    known = [migration.version for migration in available()]
    unknown = [(v, n) for v, n in rows if n.startswith("hookline__") and v not in known]
    if unknown:
        version, name = unknown[-1]
        if version < known[0]:
            raise MigrationError(
                f"Database {conn.info.dbname} was made by a version of hookline before 0.3.0"
                f" (migration {version}_{name}), which cannot be upgraded: run `hookline migrate`"
                " on a new database."
            )
        raise MigrationError(
            f"Database {conn.info.dbname} is newer than this version of hookline, which does not"
            f" know its migration {version}_{name}: upgrade the hookline package."
        )
    return [version for version, _ in rows if version in known]


def pending(conn: psycopg.Connection[TupleRow]) -> list[Migration]:
    """What `migrate` would apply, oldest first. Raises MigrationError as `applied` does."""
    done = set(applied(conn))
    return [migration for migration in available() if migration.version not in done]


def require_supported(server_version: int) -> None:
    """Raise MigrationError below Postgres 15; takes libpq's number, such as 150020."""
    if server_version < OLDEST_POSTGRES * 10_000:
        raise MigrationError(
            f"Hookline needs Postgres {OLDEST_POSTGRES} or newer, and this server is"
            f" {server_version // 10_000}."
        )


def require_utf8(database: str, encoding: str) -> None:
    """Raise MigrationError unless the database can hold every text: its encoding is UTF8."""
    if encoding != "UTF8":
        raise MigrationError(
            f"Database {database} has the encoding {encoding}, which cannot hold every text. Use a"
            " database with UTF8: create it with `createdb --encoding UTF8 --template template0`."
        )


def migrate(conninfo: str) -> list[Migration]:
    """Apply the pending migrations, each with its row in one transaction. Returns them.

    Two callers at once are safe: the second one waits, then has nothing to do. Raises
    MigrationError, and psycopg.OperationalError if there is no connection.
    """
    # Transaction poolers keep no prepared statements.
    with psycopg.connect(
        conninfo,
        **connection_arguments(conninfo, "hookline"),
        autocommit=True,
        prepare_threshold=None,
    ) as conn:
        # Whoever waited for another migration must see what that one has committed.
        conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        require_supported(conn.info.server_version)
        require_utf8(conn.info.dbname, conn.info.parameter_status("server_encoding") or "")
        # Looked up before anything is locked or created: if nothing is pending, this needs no
        # privilege.
        return [migration for migration in pending(conn) if _apply(conn, migration)]


def _apply(conn: psycopg.Connection[TupleRow], migration: Migration) -> bool:
    try:
        with conn.transaction():
            conn.execute("select pg_advisory_xact_lock(hashtextextended('hookline.migrate', 0))")
            if migration.version in applied(conn):
                return False
            conn.execute(_CREATE_HISTORY)
            # Without parameters psycopg uses the simple protocol, which allows many statements.
            conn.execute(migration.text.encode())
            conn.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements)"
                " values (%s, %s, %s)",
                (migration.version, migration.name, [migration.text]),
            )
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"Role {conn.info.user} may not install Hookline in database {conn.info.dbname}"
            f" ({error.diag.message_primary}): it needs CREATE on the database and CREATEROLE,"
            " or membership in hookline_owner once that role exists."
        ) from error
    except psycopg.Error as error:
        raise MigrationError(
            f"Migration {migration.version}_{migration.name} failed and was rolled back:"
            f" {error.diag.message_primary or error}."
        ) from error
    return True
