"""A server such as hosted Supabase's, where `postgres` is no superuser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.servers import Server, skip_reason


@contextmanager
def hosted_server(major: int) -> Iterator[Server]:
    """A server of its own, without Hookline's roles, and with two that own databases.

    `hosted` has the rights of hosted Supabase's `postgres`: no superuser, but CREATEROLE. `plain`
    has none.
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
