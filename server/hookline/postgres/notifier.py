"""The notifier: NOTIFY tells idle workers that a job came to a status.

A notification is a hint. Nobody waits for it, and a worker that misses one finds the job when it
polls next.

It is sent outside of the transaction that moved the job. Transactions that notify take one lock of
the whole server at their commit, and hold it until the commit is on disk: with NOTIFY inside, all
deliveries would queue behind each other.
"""

from __future__ import annotations

import asyncio

import structlog
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import DatabaseError
from hookline.postgres.pool import transaction
from hookline.timing import wait_until_set

__all__ = ["CHANNEL", "Notifier"]

log = structlog.get_logger("hookline.notifier")

# confirm_upload and retry_job notify on the same channel, in SQL.
CHANNEL = "hookline"

# Seconds between two NOTIFY statements of a process. What comes in between shares the next one.
_INTERVAL = 0.05


class Notifier:
    """One for a process. `notify` only remembers the status; `run` sends it."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._statuses: set[str] = set()
        self._wanted = asyncio.Event()
        self._stopping = asyncio.Event()

    def notify(self, status: str | None) -> None:
        """Tell workers that a job came to this status. Call it after the commit."""
        if status is not None:
            self._statuses.add(status)
            self._wanted.set()

    async def run(self) -> None:
        """Send notifications until `stop` is called. One that cannot be sent is dropped."""
        while True:
            await self._wanted.wait()
            if self._stopping.is_set():
                return
            self._wanted.clear()
            statuses, self._statuses = self._statuses, set()
            try:
                await self._send(statuses)
            except DatabaseError as error:
                log.debug("notify_failed", reason=str(error))
            await wait_until_set(self._stopping, _INTERVAL)

    def stop(self) -> None:
        """Let `run` return. Statuses that it has not sent yet are dropped."""
        self._stopping.set()
        self._wanted.set()

    async def _send(self, statuses: set[str]) -> None:
        async with transaction(self._pool) as connection:
            # A lost notification is harmless, so this transaction does not wait for the disk.
            await connection.execute(
                "select pg_catalog.set_config('synchronous_commit', 'off', true),"
                " pg_catalog.pg_notify(%s, s) from unnest(%s::text[]) as s",
                [CHANNEL, sorted(statuses)],
            )
