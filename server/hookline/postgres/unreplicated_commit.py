"""Notice a commit that Postgres did locally but did not replicate as configured.

Postgres only warns.

That happens when a backend is cancelled or terminated while it waits for a synchronous standby.
After a failover the commit may be lost, so nobody may be told that it is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

__all__ = ["noticing"]

# The C function of Postgres that warns. The warning has an SQLSTATE that many share (01000, or
# 57P01 if the backend is terminated), and its text is translated. The function's name is not, and
# is the same in all versions: src/backend/replication/syncrep.c.
_WARNS = "SyncRepWaitForLSN"


@contextmanager
def noticing(connection: psycopg.AsyncConnection) -> Iterator[list[str]]:
    """A list that has an entry if a commit inside the block may not have reached a standby."""
    warnings: list[str] = []

    def notice(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.source_function == _WARNS:
            warnings.append(diagnostic.sqlstate or "")

    connection.add_notice_handler(notice)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(notice)
