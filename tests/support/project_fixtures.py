"""Fixtures with projects for `hookline up`: a shared one and new ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.projects import SERVER, project_in


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One project for most tests, since initdb is slow."""
    with project_in(tmp_path_factory.mktemp("project")) as directory:
        yield directory


@pytest.fixture
def other_project(tmp_path: Path) -> Iterator[Path]:
    with project_in(tmp_path) as directory:
        yield directory


Hookline = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def hookline() -> Iterator[Hookline]:
    """`hookline(directory, "up")` starts the command. Its process ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(directory: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "hookline", *arguments],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(SERVER), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()
