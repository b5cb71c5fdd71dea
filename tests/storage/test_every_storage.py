"""What every kind of storage must do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hookline.storage.objects import MissingObject, ObjectRefused, Storage

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


# Every character that a key may have, names of the longest length, and what a shell, a URL or a
# file system reads in another way.
ODD_KEYS = [
    "u1/My Report (1).pdf",
    "a/what? *really*!.md",
    "a/'quoted' & $HOME; @=,:+.md",
    "a/ blanks around /... ",
    "a/.hidden",
    "a/-rf",
    f"a/{'n' * 255}/{'m' * 255}",
]


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_an_object_of_an_odd_name_is_written_read_listed_and_deleted(
    storage: Storage, key: str
) -> None:
    path = f"storage://parsed/{key}"
    await storage.write(path, b"odd")
    assert await storage.read(path) == b"odd"
    assert [one.path async for one in storage.list("parsed")] == [path]
    await storage.delete(path)
    with pytest.raises(MissingObject):
        await storage.read(path)


@pytest.mark.parametrize(
    "path",
    [
        "storage://parsed/../raw/a",
        "storage://parsed/.",
        "storage://parsed/",
        "storage://parsed//a",
        "storage://parsed/R\u00e9sum\u00e9.pdf",
        "storage://parsed/[1].pdf",
        "storage://parsed/a\nb",
        f"storage://parsed/{'n' * 256}",
        "/etc/passwd",
        "s3://theirs/a.pdf",
    ],
)
async def test_a_path_that_no_storage_can_hold_is_refused(storage: Storage, path: str) -> None:
    for operation in (storage.write(path, b"x"), storage.delete(path), storage.read(path)):
        with pytest.raises(ObjectRefused):
            await operation
