"""Content that is stored first: after a death between any two steps, the job becomes parsed once.

The steps are called one by one, so that a test can stop after each. Postgres, the files and the
drain are real.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from hookline.postgres.deliveries import Content
from hookline.postgres.engine import Engine
from hookline.postgres.notifier import Notifier
from hookline.postgres.pool import open_pool
from hookline.postgres.records import Receipt
from hookline.receiver.drain import Drain
from hookline.receiver.metrics import ReceiverMetrics
from hookline.storage.content import take_content
from hookline.storage.files import FileStorage
from hookline.storage.objects import StorageError
from hookline.storage.temporary_files import DIRECTORY
from support.waiting import until

STEPS = ("begun", "expected", "renamed", "synced", "finished")


class _Told:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.statuses: list[str | None] = []

    def notify(self, status: str | None) -> None:
        self.statuses.append(status)


class World:
    """One job, and all who deal with its content."""

    def __init__(self, database: str, engine: Engine, root: Path) -> None:
        self._connection = psycopg.connect(database, autocommit=True, row_factory=dict_row)
        self.engine = engine
        self.root = root
        self.storage = FileStorage(root)
        row = self.query(
            "select job_id, document_id from upload_pipeline.create_job(owner_id => %s,"
            " file_sha256 => %s, filename => 'r.pdf', mime => 'a/b', bytes_len => 9,"
            " raw_path => 'storage://raw/r.pdf')",
            uuid4(),
            "a" * 64,
        )[0]
        self.job_id, self.document_id = row["job_id"], row["document_id"]
        self.drain = Drain(
            engine=engine,
            storage=self.storage,
            metrics=ReceiverMetrics(),
            notifier=cast(Notifier, _Told()),
            deadline=5,
        )

    def query(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        cursor = self._connection.execute(statement.encode(), parameters)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        self._connection.close()

    def content(self, text: bytes = b"# a text", delivery_id: str = "d1") -> Content:
        return Content(
            delivery_id=delivery_id, event_type="parsed", job_id=self.job_id, content=text
        )

    async def send(
        self, text: bytes = b"# a text", delivery_id: str = "d1", *, deadline: float = 5
    ) -> Receipt:
        """What the receiver does with a delivery."""
        return await take_content(
            self.engine,
            self.storage,
            "test",
            hashlib.sha256(text).hexdigest(),
            self.content(text, delivery_id),
            deadline=deadline,
            repeatable=False,
        )

    async def send_until(self, last: str) -> None:
        """The same, but the process dies after the step `last`."""
        text = self.content().content
        sha256 = hashlib.sha256(text).hexdigest()
        temporary = self.storage._temporary_file("parsed", text)
        # The end of a process closes its files.
        temporary.close()
        if last == "begun":
            return
        receipt = await self.engine.expect_content("test", sha256, self.content(), sha256)
        assert receipt.path is not None
        assert receipt.ordinal is not None
        target = self.storage.file_of(receipt.path)
        if last == "expected":
            return
        if last == "renamed":
            target.parent.mkdir(parents=True)
            temporary.rename(target)
            return
        self.storage._publish(temporary, target)
        if last == "finished":
            await self.engine.finish_content(self.job_id, receipt.ordinal)

    async def drain_once(self) -> None:
        """What the drain does when the receiver's time is over."""
        self.query("update upload_pipeline.contents set run_after = run_after - interval '1 day'")
        await self.drain.sweep()
        await self.drain.run_once()

    def status(self) -> str:
        return str(self.query("select status from upload_pipeline.upload_jobs")[0]["status"])

    async def check(self) -> None:
        """The job is parsed once, with the text in its object, and nothing else is left."""
        [job] = self.query("select status, parsed_path from upload_pipeline.upload_jobs")
        assert job["status"] == "parsed"
        codes = [row["code"] for row in self.query("select code from upload_pipeline.events")]
        assert codes.count("parse_completed") == 1
        assert self.storage.file_of(str(job["parsed_path"])).read_bytes() == b"# a text"
        assert self.query("select from upload_pipeline.contents where content is not null") == []
        assert self.query("select * from upload_pipeline.check_integrity()") == []
        # Temporary files are removed in the background.
        await until(lambda: not list((self.root / "parsed" / DIRECTORY).iterdir()))


@pytest.fixture
async def world(database: str, login: Callable[[str], str], tmp_path: Path) -> AsyncIterator[World]:
    async with open_pool(login("ingest"), size=4, prepare_threshold=5, name="test") as pool:
        world = World(database, Engine(pool), tmp_path)
        yield world
        world.close()


@pytest.mark.parametrize("last", STEPS)
async def test_after_a_death_the_senders_retry_completes_the_job(world: World, last: str) -> None:
    await world.send_until(last)
    receipt = await world.send()
    assert receipt.outcome == ("duplicate" if last == "finished" else "applied")
    await world.drain_once()
    await world.check()


@pytest.mark.parametrize("last", STEPS)
async def test_after_a_death_the_drain_may_finish_before_the_senders_retry(
    world: World, last: str
) -> None:
    await world.send_until(last)
    await world.drain_once()
    found = last in ("renamed", "synced", "finished")
    assert (world.status() == "parsed") is found
    assert (await world.send()).outcome == ("duplicate" if found else "applied")
    await world.check()


async def test_an_object_of_other_bytes_is_not_taken_for_the_content(world: World) -> None:
    await world.send_until("expected")
    [row] = world.query("select path from upload_pipeline.contents")
    await world.storage.write(str(row["path"]), b"of a damaged disk")
    await world.drain_once()
    assert world.status() == "uploaded"
    assert (await world.send()).outcome == "applied"
    await world.check()


async def test_while_storage_is_away_the_drain_gives_nothing_up(world: World) -> None:
    await world.send_until("renamed")
    world.root.rename(world.root.with_name("away"))
    await world.drain_once()
    world.root.with_name("away").rename(world.root)
    assert world.status() == "uploaded"
    await world.drain_once()
    await world.check()


@pytest.mark.parametrize("second", ["the drain", "the hanging thread"])
async def test_content_whose_write_hangs_is_kept_and_both_may_come_back(
    world: World, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    release, published = threading.Event(), threading.Event()
    publish = FileStorage._publish

    def hang(*arguments: object) -> None:
        release.wait()
        publish(*arguments)  # type: ignore[arg-type]
        published.set()

    with monkeypatch.context() as hanging:
        hanging.setattr(FileStorage, "_publish", hang)
        with pytest.raises(StorageError, match=r"no answer within 0\.05 s"):
            await world.send(deadline=0.05)
    [row] = world.query("select content, stored_at from upload_pipeline.contents")
    assert row == {"content": b"# a text", "stored_at": None}
    assert world.query("select outcome from upload_pipeline.webhook_deliveries") == [
        {"outcome": "kept"}
    ]
    if second == "the drain":
        release.set()
        assert await asyncio.to_thread(published.wait, 10)
        await world.drain_once()
    else:
        await world.drain_once()
        release.set()
        assert await asyncio.to_thread(published.wait, 10)
    await world.check()


@pytest.mark.parametrize("meanwhile", ["the drain gave up", "a retry was applied"])
async def test_a_receiver_that_wakes_late_changes_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    asleep, wake = asyncio.Event(), asyncio.Event()
    expect = Engine.expect_content

    async def sleep_after(*arguments: object) -> Receipt:
        receipt = await expect(*arguments)  # type: ignore[arg-type]
        asleep.set()
        await wake.wait()
        return receipt

    with monkeypatch.context() as sleeping:
        sleeping.setattr(Engine, "expect_content", sleep_after)
        zombie = asyncio.create_task(world.send())
        await asleep.wait()
    if meanwhile == "the drain gave up":
        await world.drain_once()
        assert world.status() == "uploaded"
    else:
        assert (await world.send()).outcome == "applied"
    wake.set()
    outcome = (await zombie).outcome
    assert outcome == ("applied" if meanwhile == "the drain gave up" else "duplicate")
    await world.check()


async def test_the_same_content_twice_at_once_has_one_object(world: World) -> None:
    receipts = await asyncio.gather(*(world.send(delivery_id=f"d{n}") for n in range(4)))
    assert sorted(receipt.outcome for receipt in receipts) == ["applied", *["duplicate"] * 3]
    await world.check()


async def test_different_contents_at_once_have_their_own_objects_and_one_is_applied(
    world: World,
) -> None:
    texts = [b"# text %d" % number for number in range(4)]
    receipts = await asyncio.gather(
        *(world.send(text, f"d{number}") for number, text in enumerate(texts))
    )
    assert sorted(receipt.outcome for receipt in receipts) == ["applied", *["stale"] * 3]
    stored = world.query(
        "select path, content_sha256 from upload_pipeline.contents where stored_at is not null"
    )
    for row in stored:
        found = world.storage.file_of(str(row["path"])).read_bytes()
        assert hashlib.sha256(found).hexdigest() == row["content_sha256"]
    assert world.query("select * from upload_pipeline.check_integrity()") == []


async def test_a_delivery_that_needs_no_object_leaves_no_file(world: World) -> None:
    await world.send()
    assert (await world.send()).outcome == "duplicate"
    assert (await world.send(b"# late", "d2")).outcome == "stale"
    await world.check()


async def test_an_erasure_while_the_object_is_written_takes_it_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Engine.finish_content

    async def erase_first(*arguments: object) -> Receipt:
        world.query("select upload_pipeline.erase_document(%s)", world.document_id)
        return await finish(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "finish_content", erase_first)
    with pytest.raises(Exception, match="unknown job"):
        await world.send()
    world.query("update upload_pipeline.deletions set run_after = run_after - interval '1 day'")
    await world.drain.run_once()
    assert [path for path in world.root.rglob("*") if path.is_file()] == []
