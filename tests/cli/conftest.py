"""A command line for each test, and jobs for it to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Cli, Database


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def db(database: str) -> Database:
    return Database(database)


@pytest.fixture
def reader(login: Callable[[str], str]) -> str:
    return login("reader")


@pytest.fixture
def operator(login: Callable[[str], str]) -> str:
    return login("operator")
