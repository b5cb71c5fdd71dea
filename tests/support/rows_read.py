"""How many rows the sessions of a database have read of the tables that grow with its jobs."""

from __future__ import annotations

import psycopg

_BIG = ("documents", "upload_jobs", "events", "provider_jobs", "contents", "webhook_deliveries")


def rows_read(url: str) -> int:
    """Rows that were read by scans of tables and indexes, in sessions that have ended."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint"
            " from pg_stat_user_tables where relname = any(%s)",
            [list(_BIG)],
        ).fetchone()
    assert found is not None
    return int(found[0])
