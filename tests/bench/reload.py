"""Brings the functions and views of this checkout into a database that was made before."""

from __future__ import annotations

import psycopg

from support.servers import ROOT

__all__ = ["reload_functions"]

_FOLDERS = ("types/", "tables/", "functions/", "triggers/", "views/")


def reload_functions(url: str) -> None:
    """Replace all functions and views. The connection is a superuser's.

    Types, tables and triggers that are there stay as they are: where one has changed, make the
    database again.
    """
    db = ROOT / "db"
    with psycopg.connect(url) as connection:
        connection.execute("set role hookline_owner")
        for line in (db / "install.sql").read_text().splitlines():
            path = line.removeprefix("\\ir ")
            if path.startswith(_FOLDERS):
                try:
                    with connection.transaction():
                        connection.execute((db / path).read_bytes())
                except (psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable):
                    continue
