"""One page reads in one transaction, with the rights of hookline_reader and a short time limit.

The login may be a member of hookline_operator, whose members may also act. A read gives that up for
its transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeVar

import psycopg
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from hookline.dashboard.errors import Refused
from hookline.postgres.pool import transaction

__all__ = ["STATEMENT_TIMEOUT", "Reader", "is_timeout", "reading"]

Row = TypeVar("Row")

STATEMENT_TIMEOUT: Final = 2.0
"""Seconds for one query of a page."""

# Seconds for all queries of a page.
_PAGE_TIMEOUT = 6.0
# Compiling a plan (jit) takes longer than our queries do.
_NARROW: Final = b"""
select pg_catalog.set_config('role', 'hookline_reader', true),
  pg_catalog.set_config('transaction_read_only', 'on', true),
  pg_catalog.set_config('statement_timeout', %s, true),
  pg_catalog.set_config('jit', 'off', true),
  pg_catalog.now(),
  pg_catalog.pg_has_role(session_user, 'hookline_operator', 'member')
"""
# SQLSTATE query_canceled.
_CANCELLED = "57014"


class Reader:
    """Queries of one page. `now` is the time of the database; `is_operator` says who is connected.

    Every method may raise DatabaseError.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection, now: datetime, is_operator: bool
    ) -> None:
        self._connection = connection
        self.now = now
        self.is_operator = is_operator

    def require_operator(self) -> None:
        """Raise Refused (403) if the dashboard's login may not act."""
        if not self.is_operator:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "The dashboard's login is not in hookline_operator, so nobody can act here: as an"
                " administrator, run `grant hookline_operator to` that login.",
            )

    async def select(self, kind: type[Row], query: str, **values: object) -> Sequence[Row]:
        """The rows of a query, each as a `kind`, whose fields are the columns."""
        cursor = self._connection.cursor(row_factory=class_row(kind))
        await cursor.execute(query.encode(), values)
        return await cursor.fetchall()

    async def rows(
        self, kind: type[Row], view: str, clauses: str, **values: object
    ) -> Sequence[Row]:
        """The rows of a view. The fields of `kind` are the columns that are read."""
        columns = ", ".join(field.name for field in fields(kind))  # type: ignore[arg-type]
        # All three are text of our modules. Values are always parameters.
        query = f"select {columns} from upload_pipeline.{view} {clauses}"  # noqa: S608
        return await self.select(kind, query, **values)

    async def value(self, query: str, **values: object) -> object:
        """The only value of a query of one row."""
        cursor = await self._connection.execute(query.encode(), values)
        row = await cursor.fetchone()
        return None if row is None else row[0]


@asynccontextmanager
async def reading(pool: AsyncConnectionPool) -> AsyncIterator[Reader]:
    """The queries of one page, with the rights of hookline_reader. Raises DatabaseError."""
    async with (
        transaction(pool, within=_PAGE_TIMEOUT) as connection,
        connection.transaction(),
    ):
        cursor = await connection.execute(_NARROW, [f"{STATEMENT_TIMEOUT * 1000:.0f}"])
        row = await cursor.fetchone()
        assert row is not None  # noqa: S101 - a select without a table
        *_, now, is_operator = row
        yield Reader(connection, now, is_operator)


def is_timeout(error: Exception) -> bool:
    """Whether a query was cancelled because it took longer than STATEMENT_TIMEOUT."""
    return getattr(error, "sqlstate", None) == _CANCELLED
