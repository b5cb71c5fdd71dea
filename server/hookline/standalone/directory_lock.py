"""The lock of a project's directory: one process runs the stack, others may join it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
)
from pathlib import Path

from hookline.providers.configured_parser import Parser
from hookline.standalone.file_errors import file_errors_named

__all__ = [
    "OTHERS_SECONDS",
    "RETRY_SECONDS",
    "DirectoryHeld",
    "hold_directory",
    "join_directory",
    "wait_for_joiners",
]

_DIRECTORY_IS_OURS = 0o700
# What the lock's file says when the settings' file is of the lock's holder.
_READY = "ready"
# How long another process may take to start, or to end, in seconds.
OTHERS_SECONDS = 30.0
RETRY_SECONDS = 0.05


class DirectoryHeld(Exception):
    """Another process holds the directory."""

    def __init__(self, process: str) -> None:
        self.process = process


@contextmanager
def hold_directory(home: Path) -> Iterator[Callable[[Parser], AbstractContextManager[None]]]:
    """Hold the directory. The kernel takes the lock back from whoever is killed.

    What is given tells others that they may join, and which parser they find, for as long as it is
    entered. Raises DirectoryHeld.
    """
    with file_errors_named(home):
        home.mkdir(mode=_DIRECTORY_IS_OURS, parents=True, exist_ok=True)
        descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        if not _locked(descriptor):
            raise DirectoryHeld(lock.readline().strip() or "unknown")

        def say(*words: str) -> None:
            lock.seek(0)
            lock.truncate()
            lock.write("".join(f"{word}\n" for word in (str(os.getpid()), *words)))
            lock.flush()

        @contextmanager
        def ready(parser: Parser) -> Iterator[None]:
            say(_READY, parser)
            try:
                yield
            finally:
                say()

        say()
        yield ready


@contextmanager
def join_directory(home: Path) -> Iterator[Parser | None]:
    """Use what another process runs, if it is ready; its parser, or else None.

    The lock comes before the look, and the other way round in the process that ends: either it
    waits for us, or we see that it ends.
    """
    with file_errors_named(home):
        descriptor = os.open(home / "joined.lock", os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        match (home / "up.lock").read_text().split():
            case [_, word, ("local" | "llamacloud" | "none") as parser] if word == _READY:
                yield parser
            case _:
                yield None


async def wait_for_joiners(home: Path) -> None:
    """Wait for those who have joined, but not for longer than is decent."""
    for _ in range(round(OTHERS_SECONDS / RETRY_SECONDS)):
        with open(home / "joined.lock", "a") as lock:  # noqa: ASYNC230 - never read
            if _locked(lock.fileno()):
                return
        await asyncio.sleep(RETRY_SECONDS)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
