"""Servers and databases for all tests. A server starts when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from support.pgtap import SERVERS, pytest_collect_file
from support.servers import MAJORS, Server, Servers, skip_reason
from support.temporary import use_memory

__all__ = ["pytest_collect_file"]

pytest_plugins = ["support.project_fixtures"]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        # To read a bundle of certificates takes longer than most tests.
        if name.startswith(("HOOKLINE_", "SSL_CERT_")) or name == "DATABASE_URL":
            monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    use_memory()
    config.stash[SERVERS] = Servers()


def pytest_xdist_auto_num_workers() -> int | None:
    """Three workers on two processors: tests wait for processes for a third of their time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    cores = os.cpu_count() or 1
    return cores + cores // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no worker waits for another's at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Not pytest_unconfigure: xdist may kill a worker that has reported the end of its session.
    session.config.stash[SERVERS].close()


def _server(request: pytest.FixtureRequest, major: int) -> Server:
    if reason := skip_reason(major):
        pytest.skip(reason)
    return request.config.stash[SERVERS].get(major)


@pytest.fixture(scope="session")
def postgres15(request: pytest.FixtureRequest) -> Server:
    """PostgreSQL 15 from Debian, the oldest version that Hookline supports."""
    return _server(request, 15)


@pytest.fixture(scope="session")
def postgres18(request: pytest.FixtureRequest) -> Server:
    """The PostgreSQL 18 that `hookline up` runs."""
    return _server(request, 18)


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"pg{major}")
def postgres(request: pytest.FixtureRequest) -> Server:
    """Each PostgreSQL: the test runs once on 15 and once on 18."""
    return _server(request, request.param)


@pytest.fixture
def database(postgres18: Server) -> Iterator[str]:
    """A new database with Hookline on PostgreSQL 18; the superuser's URL."""
    with postgres18.create(template=postgres18.template) as url:
        yield url


@pytest.fixture
def login(postgres18: Server, database: str) -> Callable[[str], str]:
    """`login("worker")`: the URL of `database` for a member of hookline_worker only."""
    return lambda role: postgres18.login(database, role)
