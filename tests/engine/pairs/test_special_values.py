"""NaN, infinity and the like in every column that could hold them: refused, or everything works.

Written by hand, since no function writes such a value. The columns are read from the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.pairs.calls import CALLS
from engine.pairs.scenes import Scene, Stage
from engine.races.arguments import Row
from support.servers import Server

COLUMNS = """
select c.relname as relation, a.attname as name, format_type(a.atttypid, null) as of_type
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
 where c.relnamespace = 'upload_pipeline'::regnamespace
   and c.relkind = 'r'
   and a.attnum > 0
   and not a.attisdropped
   and a.atttypid in ('numeric'::regtype, 'interval'::regtype, 'timestamptz'::regtype)
 order by 1, 2
"""

VALUES = {
    "numeric": ["NaN", "Infinity", "-Infinity", "-1", "0", "1e12"],
    # Postgres 17 and later have infinite intervals; before that the cast is refused.
    "interval": ["infinity", "-infinity", "-1 day", "0", "1 microsecond", "178000000 years"],
    "timestamp with time zone": [
        *("infinity", "-infinity", "4713-01-01 BC", "1999-12-31", "294276-12-31"),
        "9998-12-31",
    ],
}

PAUSE = """
select upload_pipeline.pause_stage(
  'uploaded', now() + '1 hour', 'no credits', provider => 'docling'
)
"""

# Class 23 is a constraint, UP a trigger; 22007 and 22008 are values that the type does not have.
REFUSALS = ("23", "UP", "22007", "22008")


@pytest.fixture
def stage(postgres18: Server) -> Iterator[tuple[Stage, psycopg.Connection[Row]]]:
    with (
        postgres18.create(template=postgres18.template) as url,
        psycopg.connect(url, autocommit=True, row_factory=dict_row) as conn,
    ):
        yield Stage(conn), conn


@contextmanager
def undone(conn: psycopg.Connection[Row]) -> Iterator[None]:
    conn.execute("begin")
    try:
        yield
    finally:
        conn.execute("rollback")


def test_each_special_value_is_refused_or_every_call_and_view_works(
    stage: tuple[Stage, psycopg.Connection[Row]],
) -> None:
    made, conn = stage
    columns = conn.execute(COLUMNS.encode()).fetchall()
    assert len(columns) > 25
    wrong: list[tuple[str, ...]] = []
    accepted: set[str] = set()
    for column in columns:
        scene = made.scene("erased" if column["relation"] == "deletions" else "kept")
        made.put_back(scene)
        if column["relation"] == "provider_pauses":
            conn.execute(PAUSE)
        for value in VALUES[column["of_type"]]:
            name = f"{column['relation']}.{column['name']}"
            update = f"update upload_pipeline.{column['relation']} set {column['name']} = %s"  # noqa: S608
            with undone(conn):
                try:
                    assert conn.execute(update.encode(), [value]).rowcount > 0, name
                    conn.execute("set constraints all immediate")
                except psycopg.Error as error:
                    if not (error.sqlstate or "").startswith(REFUSALS):
                        wrong.append((name, value, str(error.sqlstate)))
                    continue
                accepted.add(value)
                wrong += [(name, value, *fault) for fault in _faults(made, scene, conn)]
    assert wrong == []
    assert accepted == {"0", "1e12", "Infinity", "1 microsecond", "9998-12-31"}


def _faults(made: Stage, scene: Scene, conn: psycopg.Connection[Row]) -> Iterator[tuple[str, str]]:
    """The calls and views that do not work, each with its error."""
    views = conn.execute(
        "select viewname from pg_views where schemaname = 'upload_pipeline'"
    ).fetchall()
    queries: list[tuple[str, Row]] = [
        (f"select * from upload_pipeline.{view['viewname']}", {})  # noqa: S608 - ours
        for view in views
    ]
    for call in CALLS:
        arguments = call.arguments(scene)
        named = ", ".join(f"{name} => %({name})s" for name in arguments)
        queries.append((f"select * from upload_pipeline.{call.function}({named})", arguments))  # noqa: S608
    for query, arguments in queries:
        conn.execute("savepoint before")
        try:
            conn.execute(query.encode(), arguments).fetchall()
            conn.execute("set constraints all immediate")
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("UP"):
                yield query, error.sqlstate or str(error)
        conn.execute("rollback to before")
