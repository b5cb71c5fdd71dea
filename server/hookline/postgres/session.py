"""What our sessions rely on, whatever the database or the role sets for its sessions.

Nothing is ever set for a session: behind a transaction pooler it belongs to others, too. The text
encoding is given when connecting, which poolers pass on. Where a default of the server does not
suit us, each transaction sets its own value.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import psycopg

from hookline.postgres.time_limits import time_limits

__all__ = ["adapt", "connection_arguments", "pin"]

# The functions need READ COMMITTED: they look for what others have committed after a lock wait.
# psycopg reads times and intervals in these formats only. String literals in function bodies are
# read with standard_conforming_strings. With synchronous_commit off, a commit that we acknowledge
# may be lost in a crash.
_SUITS: Final = b"""
select pg_catalog.current_setting('default_transaction_isolation') = 'read committed'
  and pg_catalog.current_setting('DateStyle') like 'ISO%'
  and pg_catalog.current_setting('IntervalStyle') = 'postgres'
  and pg_catalog.current_setting('standard_conforming_strings') = 'on'
  and pg_catalog.current_setting('synchronous_commit') <> 'off'
"""
# With these settings a call is more than one statement. If its client vanishes in between, the
# timeout ends its locks.
_PIN: Final = b"""
select pg_catalog.set_config('DateStyle', 'ISO, MDY', true),
  pg_catalog.set_config('IntervalStyle', 'postgres', true),
  pg_catalog.set_config('standard_conforming_strings', 'on', true),
  pg_catalog.set_config('TimeZone', 'UTC', true),
  pg_catalog.set_config('idle_in_transaction_session_timeout', '10s', true),
  case when pg_catalog.current_setting('synchronous_commit') = 'off'
    then pg_catalog.set_config('synchronous_commit', 'on', true) end
"""

# Seconds for the first question on a new connection.
_ADAPT_TIMEOUT: Final = 5.0


def connection_arguments(conninfo: str, name: str) -> dict[str, Any]:
    """What every connection of ours adds to its connection string. `name` is our program's.

    The user may choose another application_name, and other time limits.
    """
    return {
        "fallback_application_name": name,
        "client_encoding": "utf8",
        **time_limits(conninfo),
    }


async def adapt(connection: psycopg.AsyncConnection) -> None:
    """Find out, once for a new connection with autocommit, whether the server's defaults suit us.

    Where they do not, autocommit is switched off: then a transaction begins with the right
    isolation, and `pin` sets the rest. If it fails, it closes the connection.
    """
    try:
        async with asyncio.timeout(_ADAPT_TIMEOUT):
            cursor = await connection.execute(_SUITS)
            row = await cursor.fetchone()
            if row is None or not row[0]:
                await connection.set_autocommit(False)
                await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    except BaseException:
        await connection.close()
        raise


async def pin(connection: psycopg.AsyncConnection) -> None:
    """Begin a transaction of our own settings, if the server's defaults do not suit us."""
    if not connection.autocommit:
        await connection.execute(_PIN)
