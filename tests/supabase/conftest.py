"""Projects on servers like Supabase's, the Supabase CLI, and two versions of Hookline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from versions import Hookline, next_source

from support.servers import MAJORS, skip_reason
from support.source_tree import SourceTree
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


@pytest.fixture(scope="session")
def this_version(tmp_path_factory: pytest.TempPathFactory) -> Hookline:
    return Hookline.of_this_version(tmp_path_factory.mktemp("this_version"))


@pytest.fixture(scope="session")
def next_tree(tmp_path_factory: pytest.TempPathFactory) -> SourceTree:
    """The sources of the invented next version."""
    return next_source(tmp_path_factory.mktemp("next_tree"))


@pytest.fixture(scope="session")
def next_version(next_tree: SourceTree, tmp_path_factory: pytest.TempPathFactory) -> Hookline:
    return Hookline.of_the_next_version(next_tree, tmp_path_factory.mktemp("next_version"))
