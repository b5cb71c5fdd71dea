"""Temporary files: a file gets the name of its object once it is complete and on disk.

The temporary files of a bucket are in one directory, so they are found without a scan of the
bucket.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ABANDONED_AFTER", "DIRECTORY", "Abandoned", "TemporaryFile", "list_abandoned", "sweep"]

DIRECTORY: Final = "~hookline"
"""The name of the directory, in each bucket. No path of an object has a `~`."""

ABANDONED_AFTER: Final = 240.0
"""Seconds without a change after which a temporary file is removed, even if its writer lives.

Callers give up sooner: HOOKLINE_STORAGE_DEADLINE is at most 25 s. The value is below the 5 minutes
between an erasure and its deletions (queue_deletion). So a writer that hung all this time finds its
file gone, and cannot write the object after its deletion.
"""

# The object gets it: readable by the group, too.
_MODE = 0o640


class Abandoned(NamedTuple):
    """A temporary file that no writer will finish. `modified` is in seconds since 1970."""

    path: Path
    size: int
    modified: float


class TemporaryFile:
    """A file that is on disk, but not yet under the name of its object. Methods raise OSError.

    The writer holds a lock on it, which the kernel releases when the process ends, however it ends.
    """

    def __init__(self, directory: Path, content: bytes) -> None:
        """Write the content and fsync."""
        self._path, self._descriptor = _create(directory)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fchmod(self._descriptor, _MODE)
            os.fsync(self._descriptor)
        except BaseException:
            self.discard()
            raise

    def rename(self, target: Path) -> None:
        """Give it the name `target`. The caller makes that durable, and closes the file."""
        os.rename(self._path, target)

    def close(self) -> None:
        """Release the lock."""
        os.close(self._descriptor)

    def discard(self) -> None:
        """Remove and close it."""
        with suppress(OSError):
            os.unlink(self._path)
        self.close()


def list_abandoned(directory: Path, now: float) -> list[Abandoned]:
    """The files that `sweep` would remove. `now` is in seconds since 1970. Raises OSError."""
    found = []
    for path in _files_in(directory):
        with _held_if_abandoned(path, now) as status:
            if status is not None:
                found.append(Abandoned(path, status.st_size, status.st_mtime))
    return found


def sweep(directory: Path, now: float) -> int:
    """Remove the files of writers that have ended. Returns their number. Raises OSError.

    A file of this boot of this machine is left if its writer has locked it. A lock that was taken
    on another machine may not be seen here. Such a file, and every other, is left until nobody has
    changed it for ABANDONED_AFTER.
    """
    removed = 0
    for path in _files_in(directory):
        with _held_if_abandoned(path, now) as status:
            if status is not None:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _create(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / f"{_boot_id()}.{secrets.token_hex(8)}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        # A sweep may have come in between. Then the file is removed now or in a moment.
        if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink > 0:
            return path, descriptor
        os.close(descriptor)


def _files_in(directory: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


@contextmanager
def _held_if_abandoned(path: Path, now: float) -> Iterator[os.stat_result | None]:
    """The status of a file that is abandoned, or None. It is locked inside the block."""
    with ExitStack() as stack:
        try:
            unlocked = _lock_for(stack, path)
            status = os.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            yield None
            return
        yield status if unlocked or now - status.st_mtime > ABANDONED_AFTER else None


def _lock_for(stack: ExitStack, path: Path) -> bool:
    """Lock the file of a writer that has ended, until `stack` is closed. False: it may live."""
    if not path.name.startswith(f"{_boot_id()}.") or _boot_id() == _UNKNOWN:
        return False
    try:
        # For writing: NFS gives no exclusive lock otherwise.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        # Of another user. Its directory is ours, so we may remove it.
        return False
    stack.callback(os.close, descriptor)
    return _lock(descriptor) is True


def _lock(descriptor: int) -> bool | None:
    """Whether the lock was free and is ours now. None: this file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


_UNKNOWN: Final = "unknown"


@cache
def _boot_id() -> str:
    """What names this boot of this machine. See random(4)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _UNKNOWN
