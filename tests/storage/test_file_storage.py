"""Storage in files: a missing root directory, names in each other's way, missing rights."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from hookline.storage.files import FileStorage
from hookline.storage.objects import (
    MissingObject,
    ObjectRefused,
    StorageError,
    StorageMisconfigured,
)

PATH = "storage://parsed/document/job.md"


@pytest.mark.parametrize("at", ["absent", "file"])
async def test_without_its_root_no_object_is_missing_and_no_bucket_empty(
    tmp_path: Path, at: str
) -> None:
    (tmp_path / "file").touch()
    storage = FileStorage(tmp_path / at)
    with pytest.raises(StorageError, match="create it, or mount its disk") as refused:
        await storage.read(PATH)
    assert not isinstance(refused.value, MissingObject)
    with pytest.raises(StorageError, match="create it, or mount its disk"):
        [one async for one in storage.list("parsed")]
    with pytest.raises(StorageMisconfigured, match="create it, or mount its disk"):
        await storage.check()
    # A deletion that passed for done would leave the object on the disk that comes back.
    with pytest.raises(StorageMisconfigured, match="create it, or mount its disk"):
        await storage.delete(PATH)
    with pytest.raises(StorageMisconfigured, match="create it, or mount its disk"):
        await storage.write(PATH, b"x")


async def test_the_check_reports_a_root_that_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, as tests may run, may write everywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StorageError, match=r"may not write in .*: make it the directory's owner"):
        await FileStorage(tmp_path).check()


async def test_a_file_and_a_directory_of_one_name_hurt_their_own_paths_only(
    tmp_path: Path,
) -> None:
    storage = FileStorage(tmp_path)
    await storage.write("storage://raw/file", b"x")
    await storage.write("storage://raw/directory/file", b"x")
    for path in ("storage://raw/file/below", "storage://raw/directory"):
        with pytest.raises(ObjectRefused):
            await storage.write(path, b"y")
        with pytest.raises(MissingObject):
            await storage.read(path)
        # There is no object at this path, so that its deletion is done.
        await storage.delete(path)
    assert await storage.read("storage://raw/file") == b"x"
    assert await storage.read("storage://raw/directory/file") == b"x"
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "~" in name]


async def test_without_rights_in_its_bucket_no_object_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    storage = FileStorage(tmp_path)
    await storage.write(PATH, b"x")
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(ObjectRefused):
        await storage.read(PATH)
    # Root, as tests may run, may read everything.
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / "parsed")
    with pytest.raises(StorageMisconfigured, match=r"/parsed: make it the directory's owner"):
        await storage.read(PATH)


async def test_an_object_that_is_too_large_to_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "parsed/document/job.md"
    file.parent.mkdir(parents=True)
    with file.open("wb") as large:
        # Without blocks on the disk.
        large.truncate(2**30 + 1)
    with pytest.raises(ObjectRefused, match="more than 1,073,741,824 bytes"):
        await FileStorage(tmp_path).read(PATH)
