"""Jobs whose rows somebody holds, such as a DBA with an open transaction, keep few connections.

Each call about such a job waits for the row as long as SQL lets it, and keeps a connection that
long. So there is one call about a job at a time, and after a vain wait none for a moment. The
senders of the others are told at once to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from hookline.postgres.errors import Unavailable

__all__ = ["BusyJobs", "JobBusy"]

# Seconds that a call waits for the one before it, which takes milliseconds unless it waits, too.
_PATIENCE = 0.1
# Seconds after a vain wait in which nobody asks for the row again.
_PAUSE = 1.0
_LOCK_NOT_AVAILABLE = "55P03"


class JobBusy(Unavailable):
    """Another call waits for this job already."""


class BusyJobs:
    """The calls of one process that are under way, by what they are about."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, asyncio.Event] = {}
        self._held_until: dict[Hashable, float] = {}

    @asynccontextmanager
    async def one_call(self, key: Hashable) -> AsyncIterator[None]:
        """Make one call about a job inside the block. Raises JobBusy instead of waiting long."""
        await self._wait_for_turn(key)
        ended = self._calls[key] = asyncio.Event()
        try:
            yield
        except Unavailable as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                self._remember(key)
            raise
        finally:
            del self._calls[key]
            ended.set()

    async def _wait_for_turn(self, key: Hashable) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._held_until.get(key, now):
            raise JobBusy("another session holds the job")
        if key in self._calls:
            try:
                async with asyncio.timeout(_PATIENCE):
                    while call := self._calls.get(key):
                        await call.wait()
            except TimeoutError:
                raise JobBusy("another call waits for the job") from None

    def _remember(self, key: Hashable) -> None:
        now = asyncio.get_running_loop().time()
        self._held_until = {
            other: until for other, until in self._held_until.items() if until > now
        }
        self._held_until[key] = now + _PAUSE
