"""Each failure of a disk is temporary, the fault of one object, or of settings; it is said once."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import pytest

from hookline.storage.files import FileStorage
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
)
from support.failing_calls import failing

PATH = "storage://parsed/document/job.md"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")

AWAY, REFUSED, MISCONFIGURED = StorageError, ObjectRefused, StorageMisconfigured


@pytest.mark.parametrize(
    ("call", "number", "kind"),
    [
        # Full, or over a quota: in bytes, in inodes, and as NFS says it, at fsync.
        ("write", errno.ENOSPC, AWAY),
        ("write", errno.EDQUOT, AWAY),
        ("create", errno.ENOSPC, AWAY),
        ("mkdir", errno.EDQUOT, AWAY),
        ("fsync", errno.ENOSPC, AWAY),
        ("rename", errno.ENOSPC, AWAY),
        # Broken, or away.
        ("write", errno.EIO, AWAY),
        ("fsync", errno.EIO, AWAY),
        ("create", errno.ESTALE, AWAY),
        ("create", errno.ETIMEDOUT, AWAY),
        ("create", errno.EMFILE, AWAY),
        # One object's own.
        ("write", errno.EFBIG, REFUSED),
        ("rename", errno.ENAMETOOLONG, REFUSED),
        ("rename", errno.EACCES, REFUSED),
        # Everybody's, until a person has acted.
        ("create", errno.EROFS, MISCONFIGURED),
        ("create", errno.EACCES, MISCONFIGURED),
        ("rename", errno.EXDEV, MISCONFIGURED),
        ("rename", errno.EROFS, MISCONFIGURED),
    ],
)
def test_a_failed_write_says_what_is_at_fault_and_leaves_no_file(
    tmp_path: Path, call: str, number: int, kind: type[StorageError]
) -> None:
    storage = FileStorage(tmp_path)
    asyncio.run(storage.write("storage://parsed/other/job.md", b"before"))
    with pytest.raises(StorageError) as failed:
        failing(call, number, lambda: asyncio.run(FileStorage(tmp_path).write(PATH, b"x")))
    assert type(failed.value) is kind
    assert str(failed.value).count(os.strerror(number)) == 1
    assert _files_below(tmp_path) == ["parsed/other/job.md"]

    asyncio.run(storage.write(PATH, b"x"))
    assert asyncio.run(storage.read(PATH)) == b"x"


@pytest.mark.parametrize(
    ("call", "number", "kind"),
    [
        ("unlink", errno.EIO, AWAY),
        ("unlink", errno.EACCES, REFUSED),
        ("unlink", errno.EROFS, MISCONFIGURED),
        ("fsync", errno.EIO, AWAY),
    ],
)
def test_a_deletion_that_fails_is_not_taken_for_done(
    tmp_path: Path, call: str, number: int, kind: type[StorageError]
) -> None:
    storage = FileStorage(tmp_path)
    asyncio.run(storage.write(PATH, b"x"))
    with pytest.raises(StorageError, match=os.strerror(number)) as failed:
        failing(call, number, lambda: asyncio.run(FileStorage(tmp_path).delete(PATH)))
    assert type(failed.value) is kind
    asyncio.run(storage.delete(PATH))
    with pytest.raises(MissingObject):
        asyncio.run(storage.read(PATH))


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, AWAY), (errno.EACCES, REFUSED)])
def test_an_object_that_cannot_be_read_is_not_missing(
    tmp_path: Path, number: int, kind: type[StorageError]
) -> None:
    storage = FileStorage(tmp_path)
    asyncio.run(storage.write(PATH, b"x"))
    with pytest.raises(StorageError, match=os.strerror(number)) as failed:
        failing("open", number, lambda: asyncio.run(FileStorage(tmp_path).read(PATH)))
    assert type(failed.value) is kind


def _files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
