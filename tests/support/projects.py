"""A project for `hookline up` whose Postgres is made quickly and ends with its test."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from hookline.standalone.embedded import ProjectPostgres
from hookline.standalone.embedded.address import free_port
from hookline.standalone.embedded.programs import Programs

SERVER = Path(__file__).resolve().parents[2] / "server"


@contextmanager
def project_in(directory: Path) -> Iterator[Path]:
    """A project whose Postgres does not sync to disk: tests kill processes, not the machine."""
    postgres = ProjectPostgres(directory / ".hookline")
    initdb = Programs.initdb
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Programs, "initdb", lambda *given, sync: initdb(*given, sync=False))
        postgres.start()
    try:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("alter system set fsync = off")
        postgres.stop()
        (directory / ".hookline" / "objects").mkdir()
        # Tests run in parallel, and without this all projects would use the same ports.
        (directory / ".hookline" / "env").write_text(
            f"HOOKLINE_PORT={free_port()}\nHOOKLINE_ADMIN_PORT={free_port()}\n"
        )
        yield directory
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            lines = (postgres.data_dir / "postmaster.pid").read_text().splitlines()
            os.kill(int(lines[0]), signal.SIGQUIT)
        shutil.rmtree(postgres.home, ignore_errors=True)
