"""A server like that of hosted Supabase, where `postgres` is not a superuser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.servers import Server, skip_reason


@contextmanager
def hosted_server(major: int) -> Iterator[Server]:
    """A separate server without Hookline's roles, but with two roles that can own databases.

    `hosted` has the rights of `postgres` on hosted Supabase: CREATEROLE and CREATEDB, but it is not
    a superuser. `plain` can only log in.
    """
    if reason := skip_reason(major):
        pytest.skip(reason)
    server = Server(major)
    try:
        server.execute("create role hosted login createrole createdb password 'hosted'")
        server.execute("create role plain login password 'plain'")
        yield server
    finally:
        server.close()
