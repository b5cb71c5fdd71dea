"""The demo of supabase/seed.sql: where its jobs are, by the views."""

from __future__ import annotations

from typing import Any

import psycopg

from support.servers import ROOT

SEED = (ROOT / "supabase/seed.sql").read_text()

PLACES = {
    "uploaded": 2,
    "parse_queued": 3,
    "parse_ready": 1,
    "parsed": 2,
    "failed_parse": 1,
    "cancelled": 1,
    "content: to store": 1,
    "content: to decide": 1,
    "delivery: parked": 1,
}


def places(conn: psycopg.Connection) -> dict[str, int]:
    rows = conn.execute(
        "select status, count(*) from upload_pipeline.job_overview group by 1 union "
        "select queue, waiting from upload_pipeline.queue_health"
        " where queue like '%: %' and queue not like 'source: %'"
    ).fetchall()
    return {name: count for name, count in rows if count}


def violations(conn: psycopg.Connection) -> list[Any]:
    return conn.execute("select * from upload_pipeline.check_integrity()").fetchall()
