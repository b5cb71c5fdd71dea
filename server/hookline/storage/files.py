"""Objects as files below a directory. A file is whole or absent, and durable after `write`."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from hookline.storage.blocking_calls import BlockingCalls
from hookline.storage.objects import (
    LARGEST_OBJECT,
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
    StoredObject,
    object_key,
    too_large_to_read,
)
from hookline.storage.temporary_files import DIRECTORY, TemporaryFile, list_abandoned, sweep

__all__ = ["FileStorage"]

_Answer = TypeVar("_Answer")

# More than a disk does at once, and few enough that all of them may hang.
_CALLS_AT_ONCE = 8

# There is no object: nothing, a directory, or a file where a directory would be.
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

# What is wrong with one file or its name; the others can be used.
_REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG),
    *(errno.EFBIG, errno.EILSEQ, errno.EINVAL, errno.ELOOP),
}
# Mounted read-only; or a directory within a bucket is a mount of its own.
_WRONG_FILE_SYSTEM = {errno.EROFS, errno.EXDEV}
# Errors of a directory that all objects of a bucket need.
_WRONG_DIRECTORY = {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ELOOP}


class FileStorage:
    """The files below `root`. Files and directories are readable by their owner and group only."""

    is_remote = False

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)
        self._calls = BlockingCalls(_CALLS_AT_ONCE)

    async def write(self, path: str, content: bytes) -> None:
        """Write a temporary file, fsync, rename, fsync the directory. Raises StorageError."""
        begun = self.begin_write(object_key(path).partition("/")[0], content)
        try:
            await begun.finish(path)
        except BaseException:
            begun.abandon()
            raise

    def begin_write(self, bucket: str, content: bytes) -> _BegunWrite:
        """Write a temporary file and fsync it, in a thread. `finish` does the rest."""
        return _BegunWrite(self, bucket, content)

    async def delete(self, path: str) -> None:
        """Remove the file, then its directory if that is empty. Raises StorageError."""
        key = object_key(path)
        await self._call(lambda: self._delete(key), key)

    async def read(self, path: str) -> bytes:
        """The file's bytes. Raises MissingObject and StorageError."""
        key = object_key(path)
        return await self._call(lambda: self._read(self._root / key), key)

    async def list(self, bucket: str) -> AsyncIterator[StoredObject]:
        """Every file below the bucket's directory, one directory at a time. Raises StorageError."""
        await self._call(self._require_root)
        keys = [bucket]
        while keys:
            key = keys.pop()
            directories, objects = await self._call(partial(_scan, self._root, key))
            for found in objects:
                yield found
            keys.extend(one for one in directories if one != f"{bucket}/{DIRECTORY}")

    async def unfinished(self) -> tuple[StoredObject, ...]:
        """The temporary files that `sweep` would remove, by their paths on disk."""
        return await self._call(self._unfinished)

    async def sweep(self) -> int:
        """Remove the temporary files that no writer will finish. Returns their number."""
        return await self._call(self._sweep)

    async def check(self) -> None:
        """Raise StorageError unless the root is a directory that this user may write in."""
        await self._call(self._check)

    def file_of(self, path: str) -> Path:
        """The file on disk that holds the object of a path."""
        return self._root / object_key(path)

    async def _call(self, function: Callable[[], _Answer], key: str = "") -> _Answer:
        return await self._calls.call(partial(self._explained, function, key))

    def _explained(self, function: Callable[[], _Answer], key: str) -> _Answer:
        """What `function` returns; its OSError becomes the StorageError that says who is hurt."""
        try:
            return function()
        except OSError as error:
            reason = _reason(error)
            if error.errno in _WRONG_FILE_SYSTEM:
                raise StorageMisconfigured(f"{self._root}: {reason}") from error
            if error.errno not in _REFUSALS:
                raise StorageError(reason) from error
            # Without its root or its bucket, the object is not at fault.
            self._check(key.partition("/")[0])
            raise ObjectRefused(reason) from error

    def _temporary_file(self, bucket: str, content: bytes) -> TemporaryFile:
        directory = self._root / bucket / DIRECTORY
        try:
            try:
                return TemporaryFile(directory, content)
            except FileNotFoundError:
                for one in self._make_directory(directory):
                    _sync_directory(one.parent)
                return TemporaryFile(directory, content)
        except OSError as error:
            if error.errno not in _WRONG_DIRECTORY:
                raise
            self._check()
            raise StorageMisconfigured(
                f"{directory}: {_reason(error)}: make it a directory that this user may write in"
            ) from error

    def _publish(self, temporary: TemporaryFile, target: Path) -> None:
        try:
            temporary.rename(target)
        except FileNotFoundError:
            self._make_directory(target.parent)
            try:
                temporary.rename(target)
            except FileNotFoundError as error:
                raise StorageError("it took too long: the temporary file was removed") from error
        # With that, a directory that is new is durable in its parent, too. ext4 and XFS keep the
        # order of such changes ("strictly ordered metadata consistency"), btrfs and f2fs write the
        # parents of what is synced, and NFS makes every change of a directory durable by itself.
        _sync_directory(target.parent)

    def _make_directory(self, directory: Path) -> tuple[Path, ...]:
        """Make the directory and its parents. Returns the new ones, which are not durable yet."""
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
        return tuple(missing)

    def _read(self, target: Path) -> bytes:
        try:
            if target.stat().st_size > LARGEST_OBJECT:
                raise too_large_to_read()
            return target.read_bytes()
        except _ABSENT as error:
            # If the disk is not mounted, the object is not missing.
            self._require_root()
            raise MissingObject("there is no object at this path") from error

    def _require_root(self) -> None:
        try:
            is_directory = self._root.is_dir()
        except OSError as error:
            # A directory above it may not be entered, or its name is too long.
            raise StorageMisconfigured(f"{self._root}: {_reason(error)}") from error
        if not is_directory:
            raise StorageMisconfigured(
                f"{self._root} is not a directory: create it, or mount its disk"
            )

    def _check(self, bucket: str = "") -> None:
        self._require_root()
        for directory in dict.fromkeys((self._root, self._root / bucket)):
            if directory.is_dir() and not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
                raise StorageMisconfigured(
                    f"this user may not write in {directory}: make it the directory's owner"
                )

    def _delete(self, key: str) -> None:
        target = self._root / key
        bucket = self._root / key.partition("/")[0]
        try:
            target.unlink()
        except _ABSENT:
            self._require_root()
            return
        directory = target.parent
        # The directory's name is the id of a document. A writer that finds it gone makes it again.
        while directory != bucket:
            try:
                directory.rmdir()
            except OSError:
                break
            directory = directory.parent
        _sync_directory(directory)

    def _unfinished(self) -> tuple[StoredObject, ...]:
        return tuple(
            _stored(str(one.path), one.size, one.modified)
            for directory in self._temporary_directories()
            for one in list_abandoned(directory, time.time())
        )

    def _sweep(self) -> int:
        return sum(sweep(one, time.time()) for one in self._temporary_directories())

    def _temporary_directories(self) -> Iterator[Path]:
        self._require_root()
        return (bucket / DIRECTORY for bucket in self._root.iterdir())


class _BegunWrite:
    """See BegunWrite. The thread or the caller discards a temporary file that nobody needs."""

    def __init__(self, storage: FileStorage, bucket: str, content: bytes) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._abandoned = False
        self._temporary: TemporaryFile | None = None
        self._writing = asyncio.ensure_future(storage._call(lambda: self._write(bucket, content)))

    async def finish(self, path: str) -> None:
        key = object_key(path)
        await self._writing
        await self._storage._call(lambda: self._publish(self._storage.file_of(path)), key)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
        # Cancelled before it began, or after it ended, the thread does not see it any more.
        self._writing.cancel()
        self._writing.add_done_callback(_ignore_failure)
        if (temporary := self._take()) is not None:
            # A thread of its own: the storage may hang, and there is nobody to tell.
            threading.Thread(target=temporary.discard, name="storage", daemon=True).start()

    def _write(self, bucket: str, content: bytes) -> None:
        temporary = self._storage._temporary_file(bucket, content)
        with self._lock:
            if not self._abandoned:
                self._temporary = temporary
                return
        temporary.discard()

    def _publish(self, target: Path) -> None:
        if (temporary := self._take()) is None:
            return
        try:
            self._storage._publish(temporary, target)
        except BaseException:
            temporary.discard()
            raise
        temporary.close()

    def _take(self) -> TemporaryFile | None:
        with self._lock:
            temporary, self._temporary = self._temporary, None
            return temporary


def _ignore_failure(writing: asyncio.Future[None]) -> None:
    if not writing.cancelled():
        writing.exception()


def _scan(root: Path, key: str) -> tuple[list[str], list[StoredObject]]:
    directories, objects = [], []
    # An entry that is gone was just deleted. A bucket without a directory is empty.
    with suppress(FileNotFoundError), os.scandir(root / key) as entries:
        for entry in entries:
            name = f"{key}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                directories.append(name)
            else:
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    objects.append(_stored(f"storage://{name}", status.st_size, status.st_mtime))
    return directories, objects


def _stored(path: str, size: int, modified: float) -> StoredObject:
    return StoredObject(path, size, datetime.fromtimestamp(modified, UTC))


def _reason(error: OSError) -> str:
    return f"{error.strerror or type(error).__name__} ({error.errno})"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
