"""The connections of one command, or a sentence that says why there is none."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import Unavailable, reason_of
from hookline.postgres.pool import open_pool
from hookline.postgres.session import connection_arguments
from hookline.settings import Settings, find_env_file

__all__ = ["Unreachable", "connected", "unreachable"]


class Unreachable(Unavailable):
    """There is no connection to Postgres. The message is a sentence that says where and why."""


@asynccontextmanager
async def connected(settings: Settings, *, size: int = 1) -> AsyncIterator[AsyncConnectionPool]:
    """A pool for one command. Raises Unreachable, and ConfigurationError without DATABASE_URL.

    One connection is tried first, to learn the reason of a failure: a pool only says that it waited
    too long.
    """
    conninfo = settings.require_database()
    try:
        connection = await psycopg.AsyncConnection.connect(
            conninfo, **connection_arguments(conninfo, "hookline")
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
    """The error for a connection that failed. It tells host, port and reason, nothing else.

    Without DATABASE_URL in the environment the database is that of `hookline up`, which is told to
    be started.
    """
    if "DATABASE_URL" not in os.environ:
        project = find_env_file().absolute().parents[1]
        return Unreachable(
            f"`hookline up` is not running in {project}: start it there, and run this command"
            " again. To use another database, set DATABASE_URL."
        )
    parts = conninfo_to_dict(conninfo)
    where = f"{parts.get('host') or 'its local socket'}:{parts.get('port') or 5432}"
    return Unreachable(
        f"There is no connection to Postgres at {where}: {reason_of(error)}."
        " Check DATABASE_URL, and that the server runs."
    )
