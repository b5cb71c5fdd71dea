"""The short form of `make bench ARGS=failover`: nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from chaos.fork_server import ForkServer, fork_server
from faults.catalogue import run
from faults.failovers import FAILOVERS
from support.servers import skip_reason


@pytest.fixture
async def forks() -> AsyncIterator[ForkServer]:
    async with fork_server() as started:
        yield started


@pytest.mark.long
async def test_a_failover_loses_nothing_with_a_synchronous_standby_and_something_without(
    forks: ForkServer,
) -> None:
    if reason := skip_reason(15):
        pytest.skip(reason)
    for name in ("switch-over", "behind", "behind-asynchronous"):
        row = await run(FAILOVERS[name], forks, short=True)
        assert row.wrong == [], name
        assert (row.lost > 0) == (name == "behind-asynchronous")
