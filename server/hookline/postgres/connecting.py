"""The connections of one command, or a sentence that says why there is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.errors import Unavailable, reason_of
from hookline.postgres.pool import open_pool
from hookline.postgres.refusal import REMEDIES, sqlstate_of_refusal
from hookline.postgres.session import connection_arguments
from hookline.settings import ConfigurationError, Settings, find_env_file

__all__ = ["Unreachable", "connected", "connection_failed", "first_connection"]


class Unreachable(Unavailable):
    """There is no connection to Postgres. The message is a sentence that says where and why."""


@asynccontextmanager
async def connected(settings: Settings, *, size: int = 1) -> AsyncIterator[AsyncConnectionPool]:
    """A pool for one command. Raises Unreachable, and ConfigurationError.

    One connection is tried first, to learn the reason of a failure: a pool only says that it waited
    too long.
    """
    conninfo = settings.require_database()
    connection = await first_connection(conninfo, "hookline")
    await connection.close()
    pool = open_pool(
        conninfo, size=size, prepare_threshold=settings.prepare_threshold, name="hookline"
    )
    async with pool:
        yield pool


async def first_connection(conninfo: str, name: str) -> psycopg.AsyncConnection:
    """Connect once. Raises what `connection_failed` tells."""
    try:
        return await psycopg.AsyncConnection.connect(
            conninfo, **connection_arguments(conninfo, name), autocommit=True
        )
    except psycopg.OperationalError as error:
        raise await asyncio.to_thread(connection_failed, conninfo, error) from error


def connection_failed(
    conninfo: str, error: psycopg.OperationalError
) -> Unreachable | ConfigurationError:
    """The error for a connection that failed.

    It tells whether the server refuses the login for good, or is away.

    Its text has host, port and reason, and nothing secret. Without DATABASE_URL in the environment
    the database is that of `hookline up`, which is told to be started. It may block for seconds.
    """
    if "DATABASE_URL" not in os.environ:
        project = find_env_file().absolute().parents[1]
        return Unreachable(
            f"`hookline up` is not running in {project}: start it there, and run this command"
            " again. To use another database, set DATABASE_URL."
        )
    parts = conninfo_to_dict(conninfo)
    where = f"{parts.get('host') or 'its local socket'}:{parts.get('port') or 5432}"
    if remedy := _remedy(conninfo, error):
        return ConfigurationError(
            f"Postgres at {where} refuses the login of DATABASE_URL: {reason_of(error)}. To use it,"
            f" {remedy}."
        )
    return Unreachable(
        f"There is no connection to Postgres at {where}: {reason_of(error)}."
        " Check DATABASE_URL, and that the server runs."
    )


def _remedy(conninfo: str, error: psycopg.OperationalError) -> str | None:
    """What to do if the login is refused for good. None if Postgres may only be away."""
    if error.pgconn is None:  # No address, or no answer in time.
        return None
    if error.pgconn.needs_password:
        return "write user:password@ before the host, since this server asks for a password"
    sqlstate = sqlstate_of_refusal(conninfo)
    return REMEDIES[sqlstate] if sqlstate else None
