"""The lock of a project's directory: one process runs the stack there, others may join it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from hookline.settings import ConfigurationError
from hookline.standalone.file_errors import file_errors_as

__all__ = ["DirectoryLocked", "join_stack", "lock_directory", "try_lock", "wait_for_joiners"]

# The directory holds secrets: nobody else may read it.
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
# The word in up.lock that says: the stack runs, and the settings file describes it.
_READY = "ready"
_POLL_INTERVAL = 0.05


class DirectoryLocked(Exception):
    """Another process holds the lock. `process` is its id, or "unknown"."""

    def __init__(self, process: str) -> None:
        self.process = process


@contextmanager
def lock_directory(home: Path) -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Hold the lock of `home`, which is made if it is missing.

    Yields a context manager. While a process is inside it, others may join the stack; they are told
    its parser. The kernel releases the lock when the process ends, however it ends.
    Raises DirectoryLocked, and ConfigurationError if the files cannot be made.
    """
    with file_errors_as(ConfigurationError, home):
        home.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, _FILE_MODE)
    with open(descriptor, "r+") as lock:
        if not try_lock(descriptor):
            raise DirectoryLocked(lock.readline().strip() or "unknown")

        def write(*words: str) -> None:
            lock.seek(0)
            lock.truncate()
            lock.write("".join(f"{word}\n" for word in (str(os.getpid()), *words)))
            lock.flush()

        @contextmanager
        def open_to_joiners(parser: str) -> Iterator[None]:
            write(_READY, parser)
            try:
                yield
            finally:
                write()

        write()
        yield open_to_joiners


@contextmanager
def join_stack(home: Path) -> Iterator[str | None]:
    """Use the stack of the process that holds the lock. Yields its parser; None if it is not ready.

    We lock first and read then. The process that ends does it the other way round. So either it
    waits for us, or we see that it ends.
    """
    with file_errors_as(ConfigurationError, home):
        descriptor = os.open(home / "joined.lock", os.O_RDWR | os.O_CREAT, _FILE_MODE)
    with open(descriptor, "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        match (home / "up.lock").read_text().split():
            case [_, word, parser] if word == _READY:
                yield parser
            case _:
                yield None


async def wait_for_joiners(home: Path, timeout: float) -> None:  # noqa: ASYNC109 - no cancellation
    """Wait until all who joined have left, at most for `timeout` seconds."""
    for _ in range(round(timeout / _POLL_INTERVAL)):
        with open(home / "joined.lock", "a") as lock:  # noqa: ASYNC230 - never read
            if try_lock(lock.fileno()):
                return
        await asyncio.sleep(_POLL_INTERVAL)


def try_lock(descriptor: int) -> bool:
    """Lock the open file for this process alone; False if another process has a lock on it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
