"""The heartbeat: prolongs the lease of one job while its handler runs."""

from __future__ import annotations

import asyncio

import structlog

from hookline.postgres.errors import DatabaseError, StaleLease, UnknownJob
from hookline.stages import Job, Tools
from hookline.timing import wait_until_set
from hookline.worker.context import log_fields
from hookline.worker.handler_engine import HandlerEngine

__all__ = ["Heartbeat"]

log = structlog.get_logger("hookline.worker")

_HEARTBEATS_A_LEASE = 3
# After a heartbeat that failed, the next one comes sooner. Seconds.
_RETRY_MAX = 1.0


class Heartbeat:
    """Sends heartbeats from `run` until `stop`, or until the lease is lost. `lease` is seconds."""

    def __init__(self, engine: HandlerEngine, tools: Tools, job: Job, lease: float) -> None:
        self._engine = engine
        self._tools = tools
        self._job = job
        self._lease = lease
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` return. It waits for a heartbeat that has been sent."""
        self._stopping.set()

    async def run(self) -> None:
        """Send heartbeats. Returns when the lease is lost, or after `stop`.

        A lease that the handler's own step ended, or a hand-over, is not lost. While Postgres is
        away nothing is lost either: an expired lease is ours until another worker takes it.
        """
        interval = self._lease / _HEARTBEATS_A_LEASE
        retry_interval = min(_RETRY_MAX, interval / 4)
        pause = interval
        while not await wait_until_set(self._stopping, pause):
            if self._engine.ended_lease:
                continue
            try:
                await self._engine.heartbeat(
                    self._job.job_id, self._job.lease_token, lease=self._lease
                )
                pause = interval
            except (StaleLease, UnknownJob):
                if not await self._was_ended_by_handler():
                    return
            except DatabaseError as error:
                log.warning("heartbeat_failed", reason=str(error), **log_fields(self._job))
                pause = retry_interval

    async def _was_ended_by_handler(self) -> bool:
        # A step of the handler may have ended the lease while its answer is still on the way.
        async with self._engine.calling:
            return self._engine.ended_lease or self._tools.hand_over_expected
