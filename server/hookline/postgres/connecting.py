"""The connection of one command: it is made, or a sentence says why not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import Unavailable
from hookline.postgres.pool import open_pool
from hookline.settings import Settings

__all__ = ["CONNECT_TIMEOUT", "Unreachable", "connected", "unreachable"]

CONNECT_TIMEOUT = 5


class Unreachable(Unavailable):
    """There is no connection to Postgres; the message is a sentence that says where and why."""


@asynccontextmanager
async def connected(settings: Settings, *, size: int = 1) -> AsyncIterator[AsyncConnectionPool]:
    """A pool for one command. Raises ConfigurationError without DATABASE_URL, and Unreachable.

    A connection is tried first: a pool would only say that it waited for one in vain.
    """
    conninfo = settings.require_database()
    try:
        connection = await psycopg.AsyncConnection.connect(
            conninfo, connect_timeout=CONNECT_TIMEOUT
        )
    except psycopg.OperationalError as error:
        raise unreachable(conninfo, error) from error
    await connection.close()
    pool = open_pool(
        conninfo, size=size, prepare_threshold=settings.prepare_threshold, name="hookline"
    )
    async with pool:
        yield pool


def unreachable(conninfo: str, error: psycopg.OperationalError) -> Unreachable:
    """What to tell a person of a connection that failed: host, port and reason, nothing else."""
    parts = conninfo_to_dict(conninfo)
    where = f"{parts.get('host') or 'its local socket'}:{parts.get('port') or 5432}"
    lines = [line.strip(" \t-.") for line in str(error).splitlines()]
    # libpq adds a question, or the attempts at each address, to the line that says why.
    reason = re.sub(r"^.*failed: |^.*\b(FATAL|ERROR): +", "", lines[0] if lines else "")
    return Unreachable(
        f"There is no connection to Postgres at {where}: {reason or type(error).__name__}."
        " Check DATABASE_URL, and that the server runs."
    )
