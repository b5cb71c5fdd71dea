"""A failover as a client sees it: for a while, its connections lead to a read-only server."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg


class Failover:
    """New sessions of the database only read, until `end`. Sessions that are open stay as they are,
    like connections that still lead to a demoted primary."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._set("set default_transaction_read_only = on")

    def end(self) -> None:
        self._set("reset default_transaction_read_only")

    def _set(self, what: str) -> None:
        name = urlsplit(self._database).path.removeprefix("/")
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute("set transaction_read_only = off")
            connection.execute("set default_transaction_read_only = off")
            connection.execute(f'alter database "{name}" {what}'.encode())
