"""A file that is being written is never taken for an object, nor left behind for ever."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hookline.storage import temporary_files
from hookline.storage.files import FileStorage
from hookline.storage.objects import StorageError
from hookline.storage.temporary_files import (
    ABANDONED_AFTER,
    DIRECTORY,
    TemporaryFile,
    list_abandoned,
    sweep,
)

PATH = "storage://parsed/document/job.md"
_WRITER = """
import asyncio, os, sys, time
from hookline.storage.files import FileStorage
def hang(descriptor):
    print("hangs", flush=True)
    time.sleep(3600)
os.fsync = hang
asyncio.run(FileStorage(sys.argv[1]).write(sys.argv[2], b"a text"))
"""


@contextmanager
def _hanging_writer(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has written a temporary file and hangs in fsync."""
    (root / "parsed" / DIRECTORY).mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(root), PATH],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "hangs\n"
            yield process
        finally:
            process.kill()


def _temporaries(root: Path) -> list[Path]:
    return sorted((root / "parsed" / DIRECTORY).iterdir())


async def test_a_sweep_spares_a_living_writer_and_removes_what_a_killed_one_left(
    tmp_path: Path,
) -> None:
    storage = FileStorage(tmp_path)
    with _hanging_writer(tmp_path) as writer:
        [left] = _temporaries(tmp_path)
        assert await storage.sweep() == 0
        assert await storage.unfinished() == ()
        assert [one async for one in storage.list("parsed")] == []
        writer.kill()
        writer.wait()
        assert [(one.path, one.size) for one in await storage.unfinished()] == [(str(left), 6)]
        assert await storage.sweep() == 1
    assert _temporaries(tmp_path) == []
    assert await storage.unfinished() == ()


def test_a_writer_that_hung_too_long_cannot_bring_its_object_back(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    temporary = storage._temporary_file("parsed", b"of an erased document")
    sweep(tmp_path / "parsed" / DIRECTORY, time.time() + ABANDONED_AFTER + 1)
    with pytest.raises(StorageError, match="the temporary file was removed"):
        storage._publish(temporary, storage.file_of(PATH))
    assert not storage.file_of(PATH).exists()


@pytest.mark.parametrize("name", ["of-another-machine.0", "without-a-dot"])
def test_a_file_of_another_boot_is_swept_by_its_age_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    modified = (tmp_path / name).stat().st_mtime
    assert list_abandoned(tmp_path, modified + ABANDONED_AFTER - 1) == []
    assert sweep(tmp_path, modified + ABANDONED_AFTER - 1) == 0
    assert len(list_abandoned(tmp_path, modified + ABANDONED_AFTER + 1)) == 1
    assert sweep(tmp_path, modified + ABANDONED_AFTER + 1) == 1


def test_where_a_file_system_has_no_locks_the_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    TemporaryFile(tmp_path, b"x").close()
    assert sweep(tmp_path, time.time()) == 0
    assert sweep(tmp_path, time.time() + ABANDONED_AFTER + 1) == 1


def test_a_sweep_at_the_moment_of_creation_costs_the_writer_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = temporary_files._lock
    swept: list[int] = []

    def sweep_first(descriptor: int) -> bool | None:
        monkeypatch.setattr(temporary_files, "_lock", lock)
        swept.append(sweep(tmp_path, time.time()))
        return lock(descriptor)

    monkeypatch.setattr(temporary_files, "_lock", sweep_first)
    temporary = TemporaryFile(tmp_path, b"x")
    assert swept == [1]
    temporary.rename(tmp_path / "whole")
    temporary.close()
    assert (tmp_path / "whole").read_bytes() == b"x"


async def test_the_last_object_takes_its_directory_with_it(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path)
    await storage.write("storage://parsed/document/1.md", b"x")
    await storage.write("storage://parsed/document/2.md", b"x")
    await storage.delete("storage://parsed/document/1.md")
    assert (tmp_path / "parsed/document").exists()
    await storage.delete("storage://parsed/document/2.md")
    assert not (tmp_path / "parsed/document").exists(), "its name is the id of a document"
    await storage.write("storage://parsed/document/3.md", b"x")
    assert await storage.read("storage://parsed/document/3.md") == b"x"
