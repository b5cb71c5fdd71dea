"""The ear: hears by LISTEN that a job came to a status. A hint: what it misses is found by polling.

One connection of its own, which no transaction pooler may stand before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import structlog

from hookline.postgres.notifier import CHANNEL
from hookline.timing import Backoff

__all__ = ["Listener"]

log = structlog.get_logger("hookline.worker")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_CLOSES_WITHIN = 0.5


class Listener:
    """Calls `heard` with a status, or with None for all of them: it may have missed some."""

    def __init__(self, conninfo: str, heard: Callable[[str | None], None]) -> None:
        self._conninfo = conninfo
        self._heard = heard
        self.listening = False

    async def run(self) -> None:
        """Until it is cancelled. A connection that is lost is made anew."""
        pauses = Backoff(_FIRST_PAUSE)
        while True:
            try:
                await self._listen(pauses)
            except (psycopg.Error, OSError) as error:
                log.warning("listen_lost", reason=type(error).__name__)
            finally:
                self.listening = False
            await asyncio.sleep(pauses.next(_LONGEST_PAUSE))

    async def _listen(self, pauses: Backoff) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=5,
            application_name="hookline-listener",
            # Nothing is ever sent here: only these find out that the other side is gone.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )
        try:
            await connection.execute(f"listen {CHANNEL}".encode())
            self.listening = True
            pauses.reset()
            self._heard(None)
            async for notice in connection.notifies():
                self._heard(notice.payload)
        finally:
            await connection.close()


async def close(task: asyncio.Task[None]) -> None:
    """End a task that may lose a cancellation (asyncio.wait_for, 3.11) by repeating it.

    What it raised has been somebody else's to look at.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CLOSES_WITHIN)
    if not task.cancelled():
        task.exception()
