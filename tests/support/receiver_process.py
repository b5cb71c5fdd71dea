"""A receiver with its own process or its own Postgres, for tests that kill it or read its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg

from hookline.standalone.embedded import ThrowawayPostgres
from support.sender import Sender, Start
from support.servers import Server


class Spawned:
    """A `hookline` process and its log."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def printed(self) -> str:
        return self._log.read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        parsed = [
            json.loads(line) for line in self.printed.splitlines(keepends=True) if line[-1] == "\n"
        ]
        return [line for line in parsed if line["event"] == event]

    async def stop(self) -> None:
        """Stop it by SIGTERM. Only after that is the last line certainly in the log."""
        self.process.terminate()
        await self.process.wait()


Spawn = Callable[..., AbstractAsyncContextManager[tuple[Spawned, Sender]]]


@asynccontextmanager
async def over_own_postgres(
    start: Start, installer: Server, options: Mapping[str, str]
) -> AsyncIterator[tuple[ThrowawayPostgres, Sender]]:
    """A receiver that `start` makes, on a Postgres of its own with these settings."""
    with ThrowawayPostgres(options=options) as postgres:
        url = postgres.start()
        installer.install(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create role receiver login password 'r' in role hookline_ingest")
        login = f"postgresql://receiver:r@{url.rpartition('@')[2]}"
        async with start(database_url=login) as sender:
            sender.database = url
            yield postgres, sender
