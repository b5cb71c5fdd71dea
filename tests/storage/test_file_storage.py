"""Storage in files: a missing root directory, and temporary files of a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline.storage.files import FileStorage
from hookline.storage.objects import MissingObject, StorageError

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
    with pytest.raises(StorageError, match="create it, or mount its disk"):
        await storage.check()


async def test_the_check_reports_a_root_that_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root, as tests may run, may write everywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(StorageError, match=r"may not write in .*: make it the directory's owner"):
        await FileStorage(tmp_path).check()


async def test_temporary_files_of_a_crashed_write_are_not_listed(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    await storage.write(PATH, b"x")
    (tmp_path / "parsed/document/.hookline-abcdef").write_bytes(b"half")
    assert [one.path async for one in storage.list("parsed")] == [PATH]
