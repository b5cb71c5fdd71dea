"""Collects tests/db/**/*.sql: psql runs each pgTAP file once on each PostgreSQL.

On 15 it runs in a project like Supabase's, as its `postgres`; on 18 in a plain database, as the
superuser.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from support.servers import MAJORS, ROOT, Server, Servers, skip_reason
from support.supabase_project import SupabaseLike
from support.tap import Verdict, parse

TESTS = ROOT / "tests" / "db"
SERVERS = pytest.StashKey[Servers]()

# The options that pg_prove gives to psql, so that both runners read the same output.
_PSQL = (
    "--no-psqlrc",
    "--no-align",
    "--quiet",
    *("--pset", "pager=off"),
    *("--pset", "tuples_only=true"),
    *("--set", "ON_ERROR_STOP=1"),
)

# A clone takes longer than most files, so only a file that does not roll back gets its own.
_ROLLS_BACK = re.compile(r"begin[a-z ]*;\n(?!.*^commit\b).*^rollback;\s*", re.DOTALL | re.MULTILINE)

# What the `postgres` of a project may not do, there as little as here: the superuser runs them.
NEEDS_A_SUPERUSER = {
    "claim_reads_few_rows_more_than_its_batch": "fills the tables with their triggers off",
    "jobs_of_other_providers_are_not_read": "fills the tables with their triggers off",
    "check_integrity_finds_a_disabled_guard": "switches the triggers of foreign keys off",
    "operators_actions_are_written_down_with_login_and_reason": "becomes another login",
    "types_of_a_caller_are_never_used": "becomes a role that is no member of anything",
    "guards_work_in_replica_mode": "sets session_replication_role",
    "initial_status_moves_within_one_transaction": "sets session_replication_role",
}

# The search_path that Supabase's own roles have.
SEARCH_PATH = {"PGOPTIONS": "-c search_path=public,extensions"}


def rolls_back(path: Path) -> bool:
    """Whether a file leaves nothing behind, so that others may run in the same database."""
    return _ROLLS_BACK.fullmatch(_without_comments(path)) is not None


def run_file(server: Server, database_url: str, path: Path) -> tuple[Verdict, str]:
    """Run one file; return its verdict and what psql wrote to stderr."""
    shown = os.path.relpath(path, ROOT)
    done = server.run("psql", *_PSQL, "--file", shown, database_url, env=SEARCH_PATH)
    return parse(done.stdout, done.returncode), done.stderr


def pg_prove(server: Server, database_url: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """Run files with pg_prove, with the options of `supabase test db`."""
    url = urlsplit(database_url)
    return server.run(
        "/usr/bin/env",
        "pg_prove",
        *("--ext", ".pg", "--ext", ".sql", "-r"),
        *("-d", url.path.removeprefix("/")),
        *paths,
        env={
            **SEARCH_PATH,
            "PGHOST": url.hostname or "",
            "PGPORT": str(url.port),
            "PGUSER": url.username or "",
            "PGPASSWORD": unquote(url.password or ""),
        },
    )


def _without_comments(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() and not line.startswith("--"))


class PgTapFailedError(Exception):
    """A file did not pass. Its text is the lines to show."""


class PgTapItem(pytest.Item):
    def __init__(self, *, major: int, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.major = major
        if reason := skip_reason(major):
            self.add_marker(pytest.mark.skip(reason=reason))

    def runtest(self) -> None:
        servers = self.config.stash[SERVERS]
        project = servers.of_kind(SupabaseLike, 15) if self.major == 15 else None
        server = project or servers.get(self.major)
        with ExitStack() as stack:
            if rolls_back(self.path):
                url = server.pgtap_scratch
            else:
                clone = server.create(template=server.pgtap_template)
                url = stack.enter_context(clone)
            if project and self.path.stem not in NEEDS_A_SUPERUSER:
                url = project.as_postgres(url)
            verdict, stderr = run_file(server, url, self.path)
        if not verdict.passed:
            failed = sum(line.startswith("not ok") for line in verdict.failures)
            heading = f"PostgreSQL {self.major}: {verdict.run} tests ran, {failed} failed"
            summary = "; ".join([heading, *verdict.problems])
            raise PgTapFailedError("\n".join([summary, *verdict.failures, stderr]).rstrip())

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: object = None,
    ) -> str:
        if isinstance(excinfo.value, PgTapFailedError | RuntimeError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::{self.name}"


class PgTapFile(pytest.File):
    def collect(self) -> Iterator[PgTapItem]:
        for major in MAJORS:
            yield PgTapItem.from_parent(self, name=f"pg{major}", major=major)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> PgTapFile | None:
    if file_path.suffix == ".sql" and TESTS in file_path.parents:
        return PgTapFile.from_parent(parent, path=file_path)
    return None
