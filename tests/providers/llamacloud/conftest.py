"""A worker for the imitation of LlamaCloud, with a fresh database and a fresh directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from support.cloud_worker import CloudWorker, Employ, employing


@pytest.fixture
def employ(database: str, login: Callable[[str], str], tmp_path: Path) -> Employ:
    """`async with employ(cloud, **settings)`: a worker with these settings."""
    objects = tmp_path / "objects"
    objects.mkdir()
    return employing(database, login, objects)


@pytest.fixture
async def worker(employ: Employ) -> AsyncIterator[CloudWorker]:
    async with employ() as worker:
        yield worker
        assert worker.is_whole()
