"""Connections to Postgres: one pool for a process, one transaction for a call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from hookline.postgres.errors import InvalidArgument, ReadOnlyServer, Unavailable, meaning_of
from hookline.postgres.session import adapt, connection_arguments, pin

__all__ = ["open_pool", "renew", "transaction"]

_POOL_TIMEOUT = 5.0

_RENEW_INTERVAL = 1.0
_RENEWED: WeakKeyDictionary[AsyncConnectionPool, float] = WeakKeyDictionary()


def open_pool(
    conninfo: str, *, size: int, prepare_threshold: int | None, name: str
) -> AsyncConnectionPool:
    """A pool that is not open yet: use it with `async with`. It reconnects after an outage.

    `prepare_threshold` is psycopg's; None (never prepare) is for a transaction pooler such as
    PgBouncer or Supavisor.
    """
    return AsyncConnectionPool(
        conninfo,
        min_size=min(2, size),
        max_size=size,
        # Long enough for one lock wait of the calls that hold the connections. After that the
        # caller gets an error and the sender retries.
        timeout=_POOL_TIMEOUT,
        reconnect_timeout=float("inf"),
        open=False,
        name=name,
        configure=adapt,
        kwargs={
            **connection_arguments(name),
            "autocommit": True,
            "prepare_threshold": prepare_threshold,
        },
    )


async def renew(pool: AsyncConnectionPool) -> None:
    """Close all connections and make new ones: they lead to a server that only reads.

    After a failover behind a name or a proxy, the new ones lead to the new primary. At most once in
    `_RENEW_INTERVAL`, since every call fails while there is no other server.
    """
    now = time.monotonic()
    if now - _RENEWED.get(pool, -_RENEW_INTERVAL) >= _RENEW_INTERVAL:
        _RENEWED[pool] = now
        await pool.drain()


@asynccontextmanager
async def transaction(pool: AsyncConnectionPool) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection for one call, which is one transaction. Raises only DatabaseErrors."""
    try:
        async with pool.connection() as connection:
            await pin(connection)
            yield connection
    except (PoolTimeout, TooManyRequests, PoolClosed) as error:
        raise Unavailable("no connection to Postgres became free in time") from error
    except UnicodeEncodeError as error:
        raise InvalidArgument("a value cannot be stored as text") from error
    except psycopg.Error as error:
        meaning = meaning_of(error)
        if isinstance(meaning, ReadOnlyServer):
            await renew(pool)
        raise meaning from error
    except (OSError, TimeoutError) as error:
        raise Unavailable(type(error).__name__) from error
