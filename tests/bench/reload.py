"""Brings the functions and views of this checkout into a database that was made before."""

from __future__ import annotations

import psycopg

from support.servers import ROOT

__all__ = ["reload_functions"]

_FOLDERS = ("types/", "tables/", "functions/", "triggers/", "views/")
# Views first, which nothing else needs; then functions, also of other signatures than today's.
_DROPS = """
select format('drop view if exists %s cascade', oid::regclass)
  from pg_class where relnamespace = 'upload_pipeline'::regnamespace and relkind = 'v'
union all
select format('drop function if exists %s', oid::regprocedure)
  from pg_proc where pronamespace = 'upload_pipeline'::regnamespace
union all
select format('drop type if exists %s', reltype::regtype)
  from pg_class where relnamespace = 'upload_pipeline'::regnamespace and relkind = 'c'
"""


def reload_functions(url: str) -> None:
    """Replace all functions and views. The connection is a superuser's.

    Tables, triggers and what they need stay as they are: where one of them has changed, make the
    database again.
    """
    db = ROOT / "db"
    with psycopg.connect(url) as connection:
        connection.execute("set role hookline_owner")
        # A function that another one needs goes in a later round.
        for _ in range(3):
            for (drop,) in connection.execute(_DROPS).fetchall():
                _try(connection, drop.encode(), psycopg.errors.DependentObjectsStillExist)
        for line in (db / "install.sql").read_text().splitlines():
            path = line.removeprefix("\\ir ")
            if path.startswith(_FOLDERS):
                _try(
                    connection,
                    (db / path).read_bytes(),
                    psycopg.errors.DuplicateObject,
                    psycopg.errors.DuplicateTable,
                )


def _try(connection: psycopg.Connection, statements: bytes, *expected: type[psycopg.Error]) -> None:
    try:
        with connection.transaction():
            connection.execute(statements)
    except expected:
        pass
