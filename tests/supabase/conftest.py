"""Projects on servers like Supabase's, and the Supabase CLI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.servers import MAJORS, skip_reason
from support.supabase_cli import SupabaseCli
from support.supabase_project import SupabaseLike


def _server(major: int) -> Iterator[SupabaseLike]:
    if reason := skip_reason(major):
        pytest.skip(reason)
    server = SupabaseLike(major)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def supabase15() -> Iterator[SupabaseLike]:
    yield from _server(15)


@pytest.fixture(scope="session")
def supabase18() -> Iterator[SupabaseLike]:
    yield from _server(18)


@pytest.fixture(params=MAJORS, ids=lambda major: f"pg{major}")
def server(request: pytest.FixtureRequest) -> SupabaseLike:
    """Each in turn."""
    found: SupabaseLike = request.getfixturevalue(f"supabase{request.param}")
    return found


@pytest.fixture
def project(server: SupabaseLike) -> Iterator[str]:
    """An empty project's database, as the URL of its `postgres`."""
    with server.project() as url:
        yield url


@pytest.fixture
def cli(tmp_path: Path) -> SupabaseCli:
    return SupabaseCli(tmp_path / "project")
