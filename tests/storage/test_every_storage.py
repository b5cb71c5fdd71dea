"""What every kind of storage must do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hookline.storage.objects import MissingObject, Storage, StorageError

PATH = "storage://parsed/document/job.md"


async def test_what_was_written_is_read(storage: Storage) -> None:
    await storage.write(PATH, "# Größe\n".encode())
    assert await storage.read(PATH) == "# Größe\n".encode()


async def test_a_write_may_be_repeated_even_at_the_same_time(storage: Storage) -> None:
    await asyncio.gather(*(storage.write(PATH, b"the same") for _ in range(8)))
    await storage.write(PATH, b"the same")
    assert await storage.read(PATH) == b"the same"


async def test_a_deleted_object_is_missing_and_deleting_it_again_is_no_error(
    storage: Storage,
) -> None:
    await storage.write(PATH, b"gone")
    await storage.delete(PATH)
    await storage.delete(PATH)
    with pytest.raises(MissingObject):
        await storage.read(PATH)
    with pytest.raises(MissingObject):
        await storage.read("storage://parsed/nothing/was/ever/here.md")


async def test_every_object_is_listed_with_its_size_and_time(storage: Storage) -> None:
    assert [one async for one in storage.list("parsed")] == []
    written = {f"storage://parsed/{n}/of/{n}.{n}.md": b"x" * (n + 1) for n in range(3)}
    for path, content in written.items():
        await storage.write(path, content)
    listed = [one async for one in storage.list("parsed")]
    assert {one.path: one.size for one in listed} == {p: len(c) for p, c in written.items()}
    for one in listed:
        assert abs(datetime.now(UTC) - one.modified) < timedelta(minutes=5)


async def test_a_storage_that_can_be_used_passes_its_check(storage: Storage) -> None:
    await storage.check()


@pytest.mark.parametrize(
    "path",
    ["storage://parsed/../raw/a", "storage://parsed/", "storage://parsed/a b", "/etc/passwd"],
)
async def test_a_path_that_could_lead_elsewhere_is_refused(storage: Storage, path: str) -> None:
    for operation in (storage.write(path, b"x"), storage.delete(path), storage.read(path)):
        with pytest.raises(StorageError) as refused:
            await operation
        assert refused.value.permanent
