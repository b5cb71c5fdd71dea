"""Check that Postgres allows as many connections as the receiver may open."""

from __future__ import annotations

from psycopg_pool import AsyncConnectionPool

from hookline.doctor.check import Check
from hookline.postgres.pool import transaction
from hookline.settings import Settings

__all__ = ["check_connections"]

# Without a limit, a role and a database have -1. reserved_connections came with version 16.
_ALLOWED = """
select least(
  pg_catalog.current_setting('max_connections')::integer
    - pg_catalog.current_setting('superuser_reserved_connections')::integer
    - coalesce(pg_catalog.current_setting('reserved_connections', true)::integer, 0),
  (select nullif(d.datconnlimit, -1) from pg_catalog.pg_database as d
    where d.datname = pg_catalog.current_database()),
  (select nullif(r.rolconnlimit, -1) from pg_catalog.pg_roles as r
    where r.rolname = session_user
      and pg_catalog.pg_has_role(session_user, 'hookline_ingest', 'member'))
)
"""


async def check_connections(settings: Settings, pool: AsyncConnectionPool) -> list[Check]:
    """A warning if HOOKLINE_PROCESSES times HOOKLINE_POOL_SIZE are too many. Raises DatabaseError.

    The limits are those of the server, of the database, and of a receiver's role.
    """
    async with transaction(pool) as connection:
        row = await (await connection.execute(_ALLOWED)).fetchone()
    assert row is not None  # noqa: S101 - a query without a table
    wanted = settings.processes * settings.pool_size
    if wanted <= row[0]:
        return []
    sentence = (
        f"The receiver may open {wanted:,} connections (HOOKLINE_PROCESSES times"
        f" HOOKLINE_POOL_SIZE), and Postgres allows {row[0]:,}: lower one of the two, or raise"
        " max_connections, or the limit of the database or the role."
    )
    return [Check("connections", "warning", sentence)]
