"""The environment variables of libpq, which are for another server than the private one."""

from __future__ import annotations

import os

__all__ = ["remove_libpq_variables"]


def remove_libpq_variables() -> None:
    """Remove PGSERVICE, PGCHANNELBINDING and all others like them from this process.

    The URL of the private Postgres is complete. A variable that a user has set for another server
    would be added to it, and the connection may fail.
    Source: https://www.postgresql.org/docs/current/libpq-envars.html
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
