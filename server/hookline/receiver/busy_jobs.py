"""Turn some deliveries away at once, so that the others are answered in time.

Somebody may hold the row of a job, such as a DBA with an open transaction. Each call about it waits
as long as SQL lets it, and keeps a connection that long. So only one call about a job runs at a
time. After a call has waited in vain, no call about this job runs for one second. Other calls wait
in this process, without a connection.

After an outage many senders come at once. If all were accepted, each would wait until its sender
gave up, and no sender would get an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import NamedTuple

from psycopg_pool import AsyncConnectionPool

from hookline.postgres.deliveries import Content, Notice
from hookline.postgres.errors import Unavailable

__all__ = ["BusyJobs", "JobBusy", "job_key"]

# Seconds that a call waits for those before it. They take milliseconds, and more under load; one
# that is refused by lock_timeout (2 s in SQL) ends the wait of all.
_PATIENCE = 2.0
# The same, while another session is known to hold the job.
_PATIENCE_IF_HELD = 0.1
# Seconds after a vain wait in which nobody asks for the row again.
_PAUSE = 1.0
# Calls that may wait for each connection of the pool.
_LONGEST_QUEUE = 8
_LOCK_NOT_AVAILABLE = "55P03"


class _Call(NamedTuple):
    ended: asyncio.Event
    held: bool


class JobBusy(Unavailable):
    """Another call already waits for this job, or too many calls wait for a connection."""


class BusyJobs:
    """The calls of one process that are under way, by what they are about.

    With `pool`, calls are also turned away while too many wait for one of its connections.
    """

    def __init__(self, pool: AsyncConnectionPool | None = None) -> None:
        self._pool = pool
        self._calls: dict[Hashable, _Call] = {}
        self._held_until: dict[Hashable, float] = {}

    @asynccontextmanager
    async def one_call(self, key: Hashable, *, held: bool = False) -> AsyncIterator[None]:
        """Make one call about a job inside the block. Raises JobBusy instead of waiting long.

        `held`: Postgres has just answered that another session holds the job.
        """
        self._refuse_in_a_crowd()
        await self._wait_for_turn(key, held)
        call = self._calls[key] = _Call(asyncio.Event(), held)
        try:
            yield
        except Unavailable as error:
            if error.sqlstate == _LOCK_NOT_AVAILABLE:
                self._remember(key)
            raise
        finally:
            del self._calls[key]
            call.ended.set()

    def _refuse_in_a_crowd(self) -> None:
        if self._pool is not None:
            waiting = self._pool.get_stats().get("requests_waiting", 0)
            if waiting >= _LONGEST_QUEUE * self._pool.max_size:
                raise JobBusy(f"{waiting} calls wait for a connection to Postgres")

    async def _wait_for_turn(self, key: Hashable, held: bool) -> None:
        self._refuse_if_held(key)
        if (call := self._calls.get(key)) is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_IF_HELD if held or call.held else _PATIENCE):
                while call := self._calls.get(key):
                    await call.ended.wait()
                    self._refuse_if_held(key)
        except TimeoutError:
            raise JobBusy("another call waits for the job") from None

    def _refuse_if_held(self, key: Hashable) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._held_until.get(key, now):
            raise JobBusy("another session holds the job")

    def _remember(self, key: Hashable) -> None:
        now = asyncio.get_running_loop().time()
        self._held_until = {
            other: until for other, until in self._held_until.items() if until > now
        }
        self._held_until[key] = now + _PAUSE


def job_key(delivery: Notice | Content) -> Hashable:
    """What the calls about one job share: the job's id, else the provider job's that it locks."""
    return delivery.job_id or delivery.parse_job_id or delivery.delivery_id
