"""A real receiver on a real port, over a fresh database, storing into a fresh directory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from hookline.receiver.run import receiving
from hookline.settings import Settings
from support.receiver_process import Spawn, Spawned
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender, Start


@pytest.fixture
def start(database: str, login: Callable[[str], str], tmp_path: Path) -> Start:
    """`async with start(**settings)`: a receiver with the ingest login and these settings."""
    objects = tmp_path / "objects"
    objects.mkdir()

    @asynccontextmanager
    async def starting(**changes: Any) -> AsyncIterator[Sender]:
        values: dict[str, Any] = {
            "database_url": login("ingest"),
            "storage_url": f"file://{objects}",
            "llamaparse_secrets": (ENVELOPE_SECRET,),
            "llamacloud_secrets": (CLOUD_SECRET,),
            "push_secrets": (PUSH_SECRET,),
            "port": 0,
            "admin_port": 0,
            "stop_timeout": 5,
            **changes,
        }
        settings = Settings(**values)
        async with (
            receiving(settings) as receiver,
            aiohttp.ClientSession() as http,
        ):
            with closing(
                Sender(receiver.url, receiver.admin_url, http, database, objects)
            ) as sender:
                yield sender

    return starting


@pytest.fixture
async def sender(start: Start) -> AsyncIterator[Sender]:
    async with start() as running:
        yield running


@pytest.fixture
def spawn(database: str, login: Callable[[str], str], tmp_path: Path) -> Spawn:
    """`async with spawn(**environment)`: as `start`, in another process, which a test may kill."""
    objects = tmp_path / "objects"
    objects.mkdir(exist_ok=True)

    @asynccontextmanager
    async def spawning(**changes: str) -> AsyncIterator[tuple[Spawned, Sender]]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DATABASE_URL": login("ingest"),
            "HOOKLINE_STORAGE_URL": f"file://{objects}",
            "HOOKLINE_LLAMAPARSE_SECRETS": ENVELOPE_SECRET,
            "HOOKLINE_LLAMACLOUD_SECRETS": CLOUD_SECRET,
            "HOOKLINE_PUSH_SECRETS": PUSH_SECRET,
            "HOOKLINE_PORT": "0",
            "HOOKLINE_ADMIN_PORT": "0",
            **changes,
        }
        log = tmp_path / f"{uuid4()}.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hookline", "serve"),
                env=environment,
                cwd=tmp_path,
                stderr=stderr,
            )
        spawned = Spawned(process, log)
        try:
            async with asyncio.timeout(30):
                while not (listening := spawned.lines("receiving")):
                    assert process.returncode is None, spawned.printed
                    await asyncio.sleep(0.02)
            async with aiohttp.ClientSession() as http:
                urls = listening[0]["url"], listening[0]["admin_url"]
                with closing(Sender(*urls, http, database, objects)) as sender:
                    yield spawned, sender
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    return spawning
