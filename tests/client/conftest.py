"""A database with jobs, and where their objects are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.workplace import Workplace


@pytest.fixture
def workplace(database: str, login: Callable[[str], str], tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(database, login("worker"), tmp_path)
    yield place
    place.close()


@pytest.fixture
def operator(login: Callable[[str], str]) -> str:
    return login("operator")
