"""The bell: NOTIFY tells idle workers that a job came to a status. A hint, and nobody waits for it.

It rings outside of the transaction that moved the job: commits of transactions that notify wait for
each other (Postgres takes one lock of the whole server to order them, until the commit is on disk),
which would make one queue of all deliveries. A hint that is lost costs an idle worker its poll.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import DatabaseError
from hookline.postgres.pool import transaction

__all__ = ["CHANNEL", "Notifier"]

log = structlog.get_logger("hookline.notifier")

# That of confirm_upload and retry_job.
CHANNEL = "hookline"

# So many seconds lie between two rings of a process: what comes meanwhile shares the next one.
_APART = 0.05


class Notifier:
    """One for a process. `ring` costs nothing; `run` notifies."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._statuses: set[str] = set()
        self._rung = asyncio.Event()
        self._stopping = asyncio.Event()

    def ring(self, status: str | None) -> None:
        """A job came to this status, and that is committed."""
        if status is not None:
            self._statuses.add(status)
            self._rung.set()

    async def run(self) -> None:
        """Until `stop`."""
        while True:
            await self._rung.wait()
            if self._stopping.is_set():
                return
            self._rung.clear()
            statuses, self._statuses = self._statuses, set()
            try:
                await self._notify(statuses)
            except DatabaseError as error:
                log.debug("bell_failed", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(_APART):
                    await self._stopping.wait()

    def stop(self) -> None:
        """Let `run` end what it is doing."""
        self._stopping.set()
        self._rung.set()

    async def _notify(self, statuses: set[str]) -> None:
        async with transaction(self._pool) as connection:
            # A transaction of its own, which need not reach the disk.
            await connection.execute(
                "select pg_catalog.set_config('synchronous_commit', 'off', true),"
                " pg_catalog.pg_notify(%s, s) from unnest(%s::text[]) as s",
                [CHANNEL, sorted(statuses)],
            )
