"""This version of Hookline and an invented next one, each run as its users run it.

The next version adds a column, replaces a function and a view, and is made by db/build.py as a
developer would make it: this version is released, then there is a file in db/changes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import uuid4

import aiohttp

from support.receiver_process import Spawned
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender
from support.servers import ROOT
from support.source_tree import SourceTree

CHANGE = "99990101000000_hookline__moves"

_CHANGE = """\
-- How often a job has moved, counted in its row.
\\ir ../as_owner.sql
\\ir ../lock_tables.sql
alter table upload_pipeline.upload_jobs add column moves integer not null default 0;
comment on column upload_pipeline.upload_jobs.moves is 'Steps since the column was added.';
\\ir ../functions/internal/step/write_steps.sql
\\ir ../views/job_overview.sql
\\ir ../as_installer.sql
"""


class Hookline:
    """`python -m hookline` of the package in one directory, run in another one."""

    def __init__(self, package: Path, directory: Path) -> None:
        self.package = package
        self.directory = directory

    @classmethod
    def of_this_version(cls, directory: Path) -> Hookline:
        return cls._installed(ROOT / "supabase/migrations", directory / "this")

    @classmethod
    def of_the_next_version(cls, tree: SourceTree, directory: Path) -> Hookline:
        return cls._installed(tree.migrations, directory / "next")

    @classmethod
    def _installed(cls, migrations: Path, directory: Path) -> Hookline:
        """The package as a wheel has it, with these migrations inside."""
        package = directory / "package"
        shutil.copytree(
            ROOT / "server/hookline",
            package / "hookline",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copytree(migrations, package / "hookline/migrations")
        return cls(package, directory)

    @property
    def migrations(self) -> Path:
        return self.package / "hookline/migrations"

    def attempt(self, *arguments: str, url: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hookline", *arguments],
            cwd=self.directory,
            env=self._environment(url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def migrate(self, url: str) -> str:
        done = self.attempt("migrate", url=url)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @asynccontextmanager
    async def receiving(self, url: str, *, superuser: str) -> AsyncIterator[Sender]:
        """`hookline serve` with the login of `url`; what it wrote is looked up by `superuser`."""
        objects = self.directory / f"objects-{uuid4()}"
        objects.mkdir()
        log = self.directory / f"{uuid4()}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hookline", "serve"),
                cwd=self.directory,
                env={
                    **self._environment(url),
                    "HOOKLINE_STORAGE_URL": f"file://{objects}",
                    "HOOKLINE_LLAMAPARSE_SECRETS": ENVELOPE_SECRET,
                    "HOOKLINE_LLAMACLOUD_SECRETS": CLOUD_SECRET,
                    "HOOKLINE_PUSH_SECRETS": PUSH_SECRET,
                    "HOOKLINE_PORT": "0",
                    "HOOKLINE_ADMIN_PORT": "0",
                },
                stderr=stderr,
            )
        spawned = Spawned(process, log)
        try:
            async with asyncio.timeout(30):
                while not (listening := spawned.lines("receiving")):
                    assert process.returncode is None, spawned.printed
                    await asyncio.sleep(0.02)
            urls = listening[0]["url"], listening[0]["admin_url"]
            async with aiohttp.ClientSession() as http:
                with closing(Sender(*urls, http, superuser, objects)) as sender:
                    yield sender
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _environment(self, url: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.package),
            "DATABASE_URL": url,
        }


def next_source(directory: Path) -> SourceTree:
    """The sources of the next version, after this one was released."""
    tree = SourceTree(directory)
    _done(tree.build("--release"))
    tree.replace(
        "db/tables/upload_jobs.sql",
        "  updated_at timestamptz not null default upload_pipeline.clock(),\n",
        "  updated_at timestamptz not null default upload_pipeline.clock(),\n"
        "  moves integer not null default 0,\n",
    )
    tree.append(
        "db/tables/upload_jobs.sql",
        "comment on column upload_pipeline.upload_jobs.moves is"
        " 'Steps since the column was added.';\n",
    )
    tree.replace(
        "db/functions/internal/step/write_steps.sql",
        "updated_at = greatest(v_now, (m.job).updated_at)\n",
        "updated_at = greatest(v_now, (m.job).updated_at),\n         moves = j.moves + 1\n",
    )
    tree.replace(
        "db/views/job_overview.sql",
        "       end as waits_because\n",
        "       end as waits_because,\n       j.moves\n",
    )
    tree.append(f"db/changes/{CHANGE}.sql", _CHANGE)
    _done(tree.build())
    _done(tree.build("--check"))
    return tree


def _done(build: subprocess.CompletedProcess[str]) -> None:
    assert build.returncode == 0, build.stderr
