"""Objects as files below a directory: durable when `write` returns, whole or absent before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hookline.storage import StorageError, object_key
from hookline.storage.threads import Threads

__all__ = ["FileStorage"]

# More than a disk can do at a time, and few enough to lose all of them to one that hangs.
_CALLS = 8


class FileStorage:
    """The files of `root`. An object is readable by its owner and group, its directories too."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._threads = Threads(_CALLS)

    async def write(self, path: str, content: bytes) -> None:
        """Temporary file, fsync, rename, fsync of the directories. Raises StorageError."""
        target = self._root / object_key(path)
        await self._call(lambda: self._write(target, content))

    async def delete(self, path: str) -> None:
        """Remove the file, and make its absence durable. Raises StorageError."""
        target = self._root / object_key(path)
        await self._call(lambda: self._delete(target))

    def file_of(self, path: str) -> Path:
        """Where the object of a path is on disk."""
        return self._root / object_key(path)

    async def _call(self, function: Callable[[], None]) -> None:
        try:
            await self._threads.call(function)
        except OSError as error:
            raise StorageError(
                f"{error.strerror or type(error).__name__} ({error.errno})"
            ) from error

    def _write(self, target: Path, content: bytes) -> None:
        self._make_directory(target.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=".hookline-", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fchmod(file.fileno(), 0o640)
                os.fsync(file.fileno())
            os.rename(temporary, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_directory(target.parent)

    def _make_directory(self, directory: Path) -> None:
        # The root is not made: a disk that is not mounted must not look like an empty one.
        missing = []
        while not directory.exists():
            if directory == self._root:
                raise FileNotFoundError(2, "The storage directory does not exist")
            missing.append(directory)
            directory = directory.parent
        for one in reversed(missing):
            one.mkdir(mode=0o750, exist_ok=True)
            _sync_directory(one.parent)

    def _delete(self, target: Path) -> None:
        with suppress(FileNotFoundError):
            target.unlink()
            _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
