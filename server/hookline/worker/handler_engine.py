"""The engine that a handler gets: it notices the steps that the handler itself takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from psycopg_pool import AsyncConnectionPool

from hookline.postgres.engine import Engine
from hookline.postgres.records import Receipt
from hookline.stages import Job

__all__ = ["HandlerEngine"]


class HandlerEngine(Engine):
    """The engine of one execution. It calls `notify` when a step moves the job.

    `ended_lease` is true after a step of the handler that ended the lease. `calling` is locked
    while a function is being called: until it is free, `ended_lease` may be out of date.
    """

    def __init__(
        self, pool: AsyncConnectionPool, job: Job, notify: Callable[[str | None], None]
    ) -> None:
        super().__init__(pool)
        self._status = job.status
        self._notify = notify
        self.calling = asyncio.Lock()
        self.ended_lease = False

    async def _receipt(self, function: str, **arguments: object) -> Receipt:
        async with self.calling:
            receipt = await super()._receipt(function, **arguments)
            # Every step ends the lease, except advance_job with keep_lease.
            if receipt.event_id is not None and not arguments.get("keep_lease"):
                self.ended_lease = True
        if receipt.event_id is not None and receipt.status != self._status:
            self._notify(receipt.status)
        return receipt
