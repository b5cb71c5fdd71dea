"""Objects as files below a directory. A file is whole or absent, and durable after `write`."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from hookline.storage.blocking_calls import BlockingCalls
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
    StoredObject,
    object_key,
)

__all__ = ["FileStorage"]

_Answer = TypeVar("_Answer")

# More than a disk does at once, and few enough that all of them may hang.
_CALLS_AT_ONCE = 8
# No path of an object has a `~`.
_TEMPORARY = "~hookline-"

# There is no object: nothing, a directory, or a file where a directory would be.
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

# What is wrong with one file or its name; the others can be used.
_REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG),
    *(errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.ELOOP),
}


class FileStorage:
    """The files below `root`. Files and directories are readable by their owner and group only."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._calls = BlockingCalls(_CALLS_AT_ONCE)

    async def write(self, path: str, content: bytes) -> None:
        """Write a temporary file, fsync, rename, fsync the directories. Raises StorageError."""
        target = self._root / object_key(path)
        await self._call(lambda: self._write(target, content))

    async def delete(self, path: str) -> None:
        """Remove the file, and fsync its directory. Raises StorageError."""
        target = self._root / object_key(path)
        await self._call(lambda: self._delete(target))

    async def read(self, path: str) -> bytes:
        """The file's bytes. Raises MissingObject and StorageError."""
        target = self._root / object_key(path)
        return await self._call(lambda: self._read(target))

    async def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every file below the bucket's directory, one directory at a time. Raises StorageError."""
        await self._call(self._require_root)
        keys = [bucket]
        while keys:
            key = keys.pop()
            directories, objects = await self._call(partial(_scan, self._root, key))
            for found in objects:
                yield found
            keys.extend(directories)

    async def check(self) -> None:
        """Raise StorageError unless the root is a directory that this user may write in."""
        await self._call(self._check)

    def file_of(self, path: str) -> Path:
        """The file on disk that holds the object of a path."""
        return self._root / object_key(path)

    async def _call(self, function: Callable[[], _Answer]) -> _Answer:
        return await self._calls.call(partial(self._explained, function))

    def _explained(self, function: Callable[[], _Answer]) -> _Answer:
        """What `function` returns; its OSError becomes the StorageError that says who is hurt."""
        try:
            return function()
        except OSError as error:
            reason = f"{error.strerror or type(error).__name__} ({error.errno})"
            if error.errno == errno.EROFS:
                raise StorageMisconfigured(f"{self._root}: {reason}") from error
            if error.errno not in _REFUSALS:
                raise StorageError(reason) from error
            # Without its root, the object is not at fault.
            self._check()
            raise ObjectRefused(reason) from error

    def _write(self, target: Path, content: bytes) -> None:
        self._make_directory(target.parent)
        descriptor, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=target.parent)
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
        # The root itself is never created: without its disk it must not look like an empty storage.
        missing = []
        while not directory.exists():
            if directory == self._root:
                self._require_root()
            missing.append(directory)
            directory = directory.parent
        if directory.parent == self._root and not directory.is_dir():
            raise StorageMisconfigured(f"{directory} is not a directory: remove it")
        for one in reversed(missing):
            one.mkdir(mode=0o750, exist_ok=True)
            _sync_directory(one.parent)

    def _read(self, target: Path) -> bytes:
        try:
            return target.read_bytes()
        except _ABSENT as error:
            # If the disk is not mounted, the object is not missing.
            self._require_root()
            raise MissingObject("there is no object at this path") from error

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise StorageMisconfigured(
                f"{self._root} is not a directory: create it, or mount its disk"
            )

    def _check(self) -> None:
        self._require_root()
        if not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise StorageMisconfigured(
                f"this user may not write in {self._root}: make it the directory's owner"
            )

    def _delete(self, target: Path) -> None:
        try:
            target.unlink()
        except _ABSENT:
            self._require_root()
        else:
            _sync_directory(target.parent)


def _scan(root: Path, key: str) -> tuple[list[str], list[StoredObject]]:
    directories, objects = [], []
    # An entry that is gone was just deleted. A bucket without a directory is empty.
    with suppress(FileNotFoundError), os.scandir(root / key) as entries:
        for entry in entries:
            name = f"{key}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                directories.append(name)
            elif not entry.name.startswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    objects.append(_stored(f"storage://{name}", entry.stat()))
    return directories, objects


def _stored(path: str, status: os.stat_result) -> StoredObject:
    return StoredObject(path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
