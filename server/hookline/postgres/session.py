"""What our sessions rely on, whatever the database or the role sets for its sessions.

Nothing is ever set for a session: behind a transaction pooler it belongs to others, too. The text
encoding is given when connecting, which poolers pass on. Where a default of the server does not
suit us, each transaction sets its own value.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
from datetime import datetime
from typing import Any, Final, Literal

import psycopg
from psycopg.types.json import set_json_loads

from hookline.postgres.json_values import read_json
from hookline.postgres.time_limits import time_limits
from hookline.version import __version__

__all__ = ["adapt", "connection_arguments", "own_name", "pin", "session_name"]

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


# Characters of an application_name: 63 at most (NAMEDATALEN), else Postgres cuts it.
_VERSION: Final = 10
_NAME: Final = 24


def own_name() -> str:
    """The name of this process: its host and its number there."""
    return f"{socket.gethostname()[:150]}-{os.getpid()}"


def session_name(
    role: Literal["worker", "receiver", "dashboard"], name: str, since: datetime
) -> str:
    """The application_name of a long-lived process, at most 63 bytes; the view workers reads it.

    `name` is that of its leases, `since` its start. A name that is longer than 24 characters, or
    has others than visible ASCII, is shortened: a hash of it, then its end.
    """
    if not re.fullmatch(rf"[!-~]{{1,{_NAME}}}", name):
        short = re.sub("[^!-~]", "?", name[-15:])
        name = f"{hashlib.sha256(name.encode()).hexdigest()[:8]}~{short}"
    return f"hookline-{role} {__version__[:_VERSION]} {since.timestamp():010.0f} {name}"


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
    isolation, and `pin` sets the rest. If it fails, it closes the connection. JSON is read with
    `read_json`.
    """
    set_json_loads(read_json, connection)
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
