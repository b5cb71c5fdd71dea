"""Readiness: whether this process can do its work now, which means that Postgres lets it.

`/readyz` of the public side says which part is at fault; that of the admin side says why.

A log that cannot be written is only a warning, because the process still answers deliveries. If it
were taken out of service, nobody would answer them.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import DatabaseError
from hookline.postgres.pool import renew, transaction
from hookline.process.logs import describe_loss
from hookline.process.rights import Needs

__all__ = ["Readiness"]

# An answer is given again for this long (seconds), so that probes cannot use up the pool.
_VALID_FOR = 1.0


class Readiness:
    """Asks Postgres one question at a time, however many probes come."""

    def __init__(self, pool: AsyncConnectionPool, needs: Needs) -> None:
        self._pool = pool
        self._needs = needs
        self._question: asyncio.Task[str | None] | None = None
        self._answered_at = 0.0
        self.stopping = False

    async def find_fault(self) -> str | None:
        """One sentence about what is wrong, or None."""
        if self.stopping:
            return f"The {self._needs.who} is stopping."
        if self._question is None or (self._question.done() and self._is_outdated()):
            self._question = asyncio.create_task(self._ask(), name="readiness")
        # Others may wait for the same answer: a probe that gives up must not cancel the question.
        return await asyncio.shield(self._question)

    def _is_outdated(self) -> bool:
        return time.monotonic() - self._answered_at >= _VALID_FOR

    async def _ask(self) -> str | None:
        try:
            return await self._look()
        finally:
            self._answered_at = time.monotonic()

    async def _look(self) -> str | None:
        try:
            async with transaction(self._pool) as connection:
                cursor = await connection.execute(
                    "select pg_catalog.current_setting('transaction_read_only')::boolean"
                )
                read_only = await cursor.fetchone() == (True,)
                fault = await self._needs.fault(connection)
        except DatabaseError as error:
            return f"Postgres does not answer: {error}."
        if read_only:
            # Without deliveries nothing else would find out that there is a new primary.
            await renew(self._pool)
            return "Postgres only reads here: it is a standby, or made read-only by a setting."
        return fault

    async def answer(self, request: web.Request) -> web.Response:
        """For the public: 200, or 503 and the part that is at fault."""
        fault = await self.find_fault()
        part = "stopping" if self.stopping else "database"
        answer = {"ready": fault is None, "fault": None if fault is None else part}
        if describe_loss() is not None:
            answer["warning"] = "log"
        return web.json_response(
            answer,
            status=HTTPStatus.OK if fault is None else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    async def answer_in_detail(self, request: web.Request) -> web.Response:
        """For operators: 200 or 503, the sentence about the fault, and the state of the pool."""
        details = await self.details()
        return web.json_response(
            details,
            status=HTTPStatus.OK if details["ready"] else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    async def details(self) -> dict[str, Any]:
        """What answer_in_detail answers."""
        fault = await self.find_fault()
        return {
            "ready": fault is None,
            "fault": fault,
            "warning": describe_loss(),
            "pool": self._pool.get_stats(),
        }
