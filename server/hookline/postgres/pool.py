"""Connections to Postgres: one pool for a process, one transaction for a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from hookline.postgres.errors import (
    InvalidArgument,
    IsolationUnsupported,
    ReadOnlyServer,
    Unavailable,
    meaning_of,
    reason_of,
)
from hookline.postgres.session import adapt, connection_arguments, pin
from hookline.postgres.unreplicated_commit import noticing

__all__ = ["CALL_TIMEOUT", "open_pool", "renew", "transaction"]

CALL_TIMEOUT: Final = 8.0
"""Seconds for one call once it has a connection: longer than its lock waits, which are 2 s each.

A server that hangs acknowledges packets, so no setting of TCP ends the call.
"""

# Seconds for the server to confirm that it has cancelled a call. psycopg (AsyncConnection.wait)
# waits 10, and closes the connection at once if it is cancelled a second time.
_CANCEL_TIMEOUT = 1.0

# Long enough for one lock wait of the calls that hold the connections. After that the caller gets
# an error and the sender retries.
_POOL_TIMEOUT = 5.0

# psycopg_pool doubles the pause before it tries to connect again, from one second on, until
# `reconnect_timeout` has passed. Then it gives up, and the next caller makes it start again. So
# this limits the time from the end of an outage to the next connection.
_RECONNECT_TIMEOUT = 2.0

_RENEW_INTERVAL = 1.0
_RENEWED: WeakKeyDictionary[AsyncConnectionPool, float] = WeakKeyDictionary()


class _Connection(psycopg.AsyncConnection):
    """The connections of a pool, which has a subclass of its own.

    The subclass remembers why the last attempt to connect failed: callers of the pool only learn
    that they waited in vain.
    """

    failure: ClassVar[str] = ""

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:
        try:
            made = await super().connect(*args, **kwargs)
        except psycopg.Error as error:
            cls.failure = reason_of(error)
            raise
        cls.failure = ""
        return made


def open_pool(
    conninfo: str, *, size: int, prepare_threshold: int | None, name: str
) -> AsyncConnectionPool:
    """A pool that is not open yet: use it with `async with`. It reconnects after an outage.

    `prepare_threshold` is psycopg's; None (never prepare) is for a transaction pooler such as
    PgBouncer or Supavisor.
    """
    return AsyncConnectionPool(
        conninfo,
        connection_class=type(_Connection.__name__, (_Connection,), {}),
        min_size=min(2, size),
        max_size=size,
        timeout=_POOL_TIMEOUT,
        reconnect_timeout=_RECONNECT_TIMEOUT,
        open=False,
        name=name,
        configure=adapt,
        check=_check,
        kwargs={
            **connection_arguments(conninfo, name),
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
        },
    )


async def renew(pool: AsyncConnectionPool) -> None:
    """Close all connections and make new ones, since one was lost or is of no use any more.

    The other connections have the same fault: after a restart, after a failover behind a name or a
    proxy, or after a firewall has forgotten its connections. Done at most once in
    `_RENEW_INTERVAL`, since every call fails while there is no other server.
    """
    now = time.monotonic()
    if now - _RENEWED.get(pool, -_RENEW_INTERVAL) >= _RENEW_INTERVAL:
        _RENEWED[pool] = now
        await pool.drain()


async def _check(connection: psycopg.AsyncConnection) -> None:
    """Raise if the server or a pooler has ended this idle connection. Sends nothing.

    The first read may find a last message, and the second read the end of the connection.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError:
        if isinstance(pool := connection._pool, AsyncConnectionPool):
            await renew(pool)
        raise


@asynccontextmanager
async def transaction(
    pool: AsyncConnectionPool, *, within: float | None = CALL_TIMEOUT
) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection for one call, which is one transaction. Raises only DatabaseErrors.

    The call ends `within` so many seconds; None is for reading that may take long. If a call is
    cut, it is also cancelled at the server, and its connection is closed unless the server confirms
    the cancellation. It is then not known whether the call was committed.
    """
    lost = False
    try:
        async with (
            asyncio.timeout(None) as confirmation,
            asyncio.timeout(None) as limit,
            pool.connection() as connection,
        ):
            if within is not None:
                latest = asyncio.get_running_loop().time() + within
                limit.reschedule(latest)
                confirmation.reschedule(latest + _CANCEL_TIMEOUT)
            try:
                with noticing(connection) as unreplicated:
                    await pin(connection)
                    yield connection
                    if not connection.autocommit:
                        await connection.commit()
            finally:
                lost = connection.closed
        if unreplicated:
            raise Unavailable("the commit may not have reached the standby that it waits for")
    except (PoolTimeout, TooManyRequests, PoolClosed) as error:
        failure = getattr(pool.connection_class, "failure", "")
        raise Unavailable(failure or "no connection to Postgres became free in time") from error
    except UnicodeEncodeError as error:
        raise InvalidArgument("a value cannot be stored as text") from error
    except psycopg.Error as error:
        meaning = meaning_of(error)
        # A reload of the configuration changes the defaults of open sessions, too.
        lost = lost or isinstance(meaning, ReadOnlyServer | IsolationUnsupported)
        raise meaning from error
    except OSError as error:
        reason = f"no answer within {within:.3g} s" if limit.expired() else type(error).__name__
        raise Unavailable(reason) from error
    finally:
        if lost:
            await renew(pool)
