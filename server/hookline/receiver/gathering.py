"""Takes many thin deliveries with one statement, and makes none of them wait for another.

A delivery whose job another session holds waits for this job separately.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from hookline.postgres.deliveries import Notice
from hookline.postgres.engine import Engine
from hookline.postgres.errors import Unavailable
from hookline.postgres.records import Receipt
from hookline.process.gathering import Gathering
from hookline.receiver.busy_jobs import BusyJobs, JobBusy, job_key

__all__ = ["Gatherer"]

# Seconds that a delivery waits for one of the connections that may wait for locks.
_PATIENCE = 2.0
_LOCK_NOT_AVAILABLE = "55P03"


class _Delivery(NamedTuple):
    source: str
    body_sha256: str
    notice: Notice


class Gatherer:
    """The thin deliveries of one process that are not answered yet.

    `connections` is the size of the pool; fewer than half of them wait for locks at any time.
    """

    def __init__(self, engine: Engine, busy_jobs: BusyJobs, *, connections: int) -> None:
        self._engine = engine
        self._busy_jobs = busy_jobs
        self._gathering = Gathering[_Delivery, Receipt](engine.receive_events)
        self._places = asyncio.Semaphore(max(1, (connections - 1) // 2))

    async def receive(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        """Take one delivery, together with others. Raises what Engine.receive_event raises.

        Once it is sent, a cancellation does not undo it.
        """
        try:
            return await self._gathering.send(_Delivery(source, body_sha256, notice))
        except Unavailable as error:
            if error.sqlstate != _LOCK_NOT_AVAILABLE:
                raise
        return await self._receive_alone(source, body_sha256, notice)

    async def _receive_alone(self, source: str, body_sha256: str, notice: Notice) -> Receipt:
        key = job_key(notice)
        async with self._busy_jobs.one_call(key, held=True):
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._places.acquire()
            except TimeoutError:
                raise JobBusy("other deliveries wait for jobs that are held") from None
            try:
                return await self._engine.receive_event(source, body_sha256, notice)
            finally:
                self._places.release()
