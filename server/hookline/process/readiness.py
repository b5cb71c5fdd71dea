"""Ready means that a delivery could be taken now. Public: which part fails; admin side: why."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import DatabaseError
from hookline.postgres.pool import transaction

__all__ = ["Readiness"]

# An answer serves this long, so that those who look cannot take up the pool.
_SECONDS = 1.0

_INGEST = ("receive_event", "receive_content", "finish_content")


class Readiness:
    """Asks Postgres at most one question at a time for whoever looks.

    `who` needs the `functions`, which members of `role` may call.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool,
        *,
        who: str = "receiver",
        role: str = "hookline_ingest",
        functions: tuple[str, ...] = _INGEST,
    ) -> None:
        self._pool = pool
        self._who = who
        self._role = role
        self._functions = functions
        self._question: asyncio.Task[str | None] | None = None
        self._stale_at = 0.0
        self.stopping = False

    async def find_fault(self) -> str | None:
        """One sentence about what is wrong, or None."""
        if self.stopping:
            return f"The {self._who} is stopping."
        if self._question is None or (self._question.done() and _now() >= self._stale_at):
            self._question = asyncio.create_task(self._ask(), name="readiness")
        # One who no longer waits must not end the question of the others.
        return await asyncio.shield(self._question)

    async def _ask(self) -> str | None:
        try:
            return await self._look()
        finally:
            self._stale_at = _now() + _SECONDS

    async def _look(self) -> str | None:
        try:
            async with transaction(self._pool) as connection:
                cursor = await connection.execute(
                    "select count(*) from pg_catalog.pg_proc as p"
                    " join pg_catalog.pg_namespace as n on n.oid = p.pronamespace"
                    " where n.nspname = 'upload_pipeline' and p.proname = any(%s)"
                    " and pg_catalog.has_schema_privilege(n.oid, 'usage')"
                    " and pg_catalog.has_function_privilege(p.oid, 'execute')",
                    [list(self._functions)],
                )
                row = await cursor.fetchone()
        except DatabaseError as error:
            return f"Postgres does not answer: {error}."
        if row is None or row[0] < len(self._functions):
            return (
                "The database does not have Hookline, or this login role is not in"
                f" {self._role}: run `hookline doctor`."
            )
        return None

    async def answer(self, request: web.Request) -> web.Response:
        """200, or 503 and the part that is at fault."""
        fault = await self.find_fault()
        return web.json_response(
            {"ready": fault is None, "fault": None if fault is None else self._part()},
            status=HTTPStatus.OK if fault is None else HTTPStatus.SERVICE_UNAVAILABLE,
        )

    def _part(self) -> str:
        return "stopping" if self.stopping else "database"

    async def answer_in_detail(self, request: web.Request) -> web.Response:
        """As `answer`, with the whole sentence and the state of the pool."""
        fault = await self.find_fault()
        return web.json_response(
            {"ready": fault is None, "fault": fault, "pool": self._pool.get_stats()},
            status=HTTPStatus.OK if fault is None else HTTPStatus.SERVICE_UNAVAILABLE,
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
