"""A database for two sessions at once; after each test check_integrity() must find nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from engine.races.sessions import World
from support.servers import Server


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    with postgres.create(template=postgres.template) as url, ExitStack() as stack:
        world = World(postgres, url, stack)
        yield world
        assert (
            world.watcher.execute("select * from upload_pipeline.check_integrity()").fetchall()
            == []
        )
