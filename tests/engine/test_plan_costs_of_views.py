"""The plan of every view looks cheap, so that no Postgres compiles it.

A Postgres with LLVM compiles a plan whose estimated cost is above jit_above_cost: seconds for each
reader, however few rows there are. Tables that nobody has analyzed are estimated at many rows.
"""

from __future__ import annotations

import psycopg

from bench.fairness import fill
from bench.growth import QUERIES
from bench.many_jobs import make_jobs
from support.servers import Server

JIT_ABOVE_COST = 100_000


def _cost(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(f"explain (format json) {query}".encode()).fetchone()
    assert row is not None
    cost: float = row[0][0]["Plan"]["Total Cost"]
    return cost


def _too_dear(connection: psycopg.Connection, queries: list[str]) -> dict[str, float]:
    costs = {query: _cost(connection, query) for query in queries}
    assert costs
    return {query: cost for query, cost in costs.items() if cost >= JIT_ABOVE_COST}


def test_plan_of_every_view_of_empty_tables_is_below_the_cost_that_is_compiled(
    postgres: Server,
) -> None:
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        views = connection.execute(
            "select viewname from pg_views where schemaname = 'upload_pipeline'"
        ).fetchall()
        assert _too_dear(connection, [f"table upload_pipeline.{name}" for (name,) in views]) == {}


def test_plan_of_every_view_of_filled_tables_is_below_the_cost_that_is_compiled(
    postgres: Server,
) -> None:
    """As commands and dashboards ask: of a listing, the newest."""
    with (
        postgres.create(template=postgres.template) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        make_jobs(connection, 12_000, unfinished=10_000)
        queries = list(QUERIES.values())
        assert _too_dear(connection, queries) == {}
        # Of these a claim takes some.
        fill(connection, "gen_random_uuid()", 10_000, "upload_pipeline.clock()")
        connection.execute("analyze")
        assert _too_dear(connection, queries) == {}
