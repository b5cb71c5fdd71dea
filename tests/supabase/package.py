"""A hookline package in a directory of its own, run as its users run it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import uuid4

import aiohttp

from support.receiver_process import Spawned
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender


class Hookline:
    """`python -m hookline` of the package in one directory, run in another one."""

    def __init__(self, package: Path, directory: Path) -> None:
        self.package = package
        self.directory = directory

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
