"""Whether a test fails on a mutant: pgTAP files first, then races and random calls.

Which pgTAP file calls which function is asked of Postgres (track_functions), so only files that can
notice a change are run, the quickest first. Contract and role tests read the catalogue and run too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from mutants.sql_mutants import Mutant, of_the_catalogue, of_the_functions
from support import pgtap
from support.servers import MUTATION, ROOT, Server

# Files that look at every object, whatever they call.
_OF_THE_CATALOGUE = ("contract", "roles", "history")
# The tests in Python whose database is the mutant's. `pg15` would repeat them.
_PYTHON = (
    "tests/engine/races",
    "tests/engine/pairs",
    "tests/engine/test_checks_at_commit.py",
    "tests/engine/test_credits_add_up.py",
    "tests/engine/test_hostile_arguments.py",
    "tests/engine/test_functions_declare_their_locks_and_calls.py",
)

_OTHERS = """
select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


@dataclass
class File:
    """A pgTAP file that passes without a mutant."""

    path: Path
    seconds: float
    calls: set[str] = field(default_factory=set)


class Killers:
    """Runs the tests of a mutant in a clone of its own. `say` is told about what takes long."""

    def __init__(
        self, server: Server, say: Callable[[str], None], *, with_python: bool = True
    ) -> None:
        self._server = server
        self._say = say
        self._with_python = with_python
        with server.create(template=server.pgtap_template) as url:
            with psycopg.connect(url) as conn:
                self._catalogue = of_the_catalogue(conn)
            self._files = list(self._measured(url))
        say(f"{len(self._files)} pgTAP files pass without a mutant")

    def mutants(self) -> list[Mutant]:
        return [*self._catalogue, *of_the_functions()]

    def killer(self, mutant: Mutant) -> str | None:
        """The test that fails on the mutant, or None. Raises ValueError if Postgres refuses it."""
        with self._server.create(template=self._server.pgtap_template) as url:
            with psycopg.connect(url, autocommit=True) as conn:
                try:
                    conn.execute(mutant.sql.encode())
                except psycopg.Error as error:
                    raise ValueError(str(error)) from error
                # A mutant may loop, or wait for what never comes.
                name = conn.info.dbname
                conn.execute(f'alter database "{name}" set statement_timeout = 120000'.encode())
                # Here one server makes the changes that the suite divides among two.
                conn.execute(f'alter database "{name}" set test.in_full = on'.encode())
            for file in self._files_for(mutant):
                if not self._passes(url, file.path):
                    return str(file.path.relative_to(pgtap.TESTS))
        return self._killer_in_python(mutant) if self._with_python else None

    def _files_for(self, mutant: Mutant) -> list[File]:
        def rank(file: File) -> tuple[bool, float]:
            return file.path.parent.name not in _OF_THE_CATALOGUE, file.seconds

        if mutant.function is None:
            return sorted(self._files, key=rank)
        callers = [file for file in self._files if mutant.function in file.calls]
        others = [file for file in self._files if file.path.parent.name in ("contract", "roles")]
        return sorted(callers, key=lambda file: file.seconds) + [
            file for file in others if file not in callers
        ]

    def _measured(self, url: str) -> Iterator[File]:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"alter database {conn.info.dbname} set track_functions = 'all'".encode())
            for path in sorted(pgtap.TESTS.rglob("*.sql")):
                if not pgtap.rolls_back(path):
                    continue
                conn.execute("select pg_stat_reset()")
                began = time.monotonic()
                if not self._passes(url, path):
                    self._say(f"left out, because it fails without a mutant: {path.name}")
                    continue
                seconds = time.monotonic() - began
                # A session reports what it called when it ends, which may be after psql has.
                while conn.execute(_OTHERS).fetchall():
                    time.sleep(0.01)
                rows = conn.execute("select funcname from pg_stat_user_functions where calls > 0")
                yield File(path, seconds, {name for (name,) in rows})

    def _passes(self, url: str, path: Path) -> bool:
        return pgtap.run_file(self._server, url, path)[0].passed

    def _killer_in_python(self, mutant: Mutant) -> str | None:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as change:
            change.write(mutant.sql)
            change.flush()
            os.chmod(change.name, 0o644)
            done = subprocess.run(
                [
                    *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"),
                    *("-k", "not pg15"),
                    *_PYTHON,
                ],
                cwd=ROOT,
                env={**os.environ, MUTATION: change.name},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode == 0:
            return None
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0].split(" - ")[0] if failed else done.stdout[-300:]
