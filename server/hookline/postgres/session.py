"""What our sessions rely on, whatever the database or the role sets for its sessions.

Nothing is ever set for a session: behind a transaction pooler it belongs to others, too. The text
encoding is given when connecting, which poolers pass on. Where a default of the server does not
suit us, each transaction sets its own value.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg

__all__ = ["CONNECT_TIMEOUT", "adapt", "connection_arguments", "pin"]

CONNECT_TIMEOUT: Final = 5
"""Seconds for making a connection."""

# The functions need READ COMMITTED: they look for what others have committed after a lock wait.
# psycopg reads times and intervals in these formats only. String literals in function bodies are
# read with standard_conforming_strings.
_SUITS: Final = b"""
select pg_catalog.current_setting('default_transaction_isolation') = 'read committed'
  and pg_catalog.current_setting('DateStyle') like 'ISO%'
  and pg_catalog.current_setting('IntervalStyle') = 'postgres'
  and pg_catalog.current_setting('standard_conforming_strings') = 'on'
"""
_PIN: Final = b"""
select pg_catalog.set_config('DateStyle', 'ISO, MDY', true),
  pg_catalog.set_config('IntervalStyle', 'postgres', true),
  pg_catalog.set_config('standard_conforming_strings', 'on', true),
  pg_catalog.set_config('TimeZone', 'UTC', true)
"""


def connection_arguments(name: str) -> dict[str, Any]:
    """The keyword arguments of every connection of ours, with its application_name."""
    return {
        "application_name": name,
        "client_encoding": "utf8",
        "connect_timeout": CONNECT_TIMEOUT,
    }


async def adapt(connection: psycopg.AsyncConnection) -> None:
    """Find out, once for a new connection with autocommit, whether the server's defaults suit us.

    Where they do not, autocommit is switched off: then a transaction begins with the right
    isolation, and `pin` sets the rest.
    """
    cursor = await connection.execute(_SUITS)
    row = await cursor.fetchone()
    if row is None or not row[0]:
        await connection.set_autocommit(False)
        await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)


async def pin(connection: psycopg.AsyncConnection) -> None:
    """Begin a transaction of our own settings, if the server's defaults do not suit us."""
    if not connection.autocommit:
        await connection.execute(_PIN)
