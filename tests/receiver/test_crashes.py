"""After kill -9 at any moment, every acknowledged delivery is there and no job is stuck."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import psycopg
import pytest

from hookline.standalone.embedded import ThrowawayPostgres
from support.receiver_process import Spawn, over_own_postgres
from support.sender import LATER, Sender, Start, envelope_of, event_of, set_clock
from support.servers import Server
from support.waiting import until


async def test_a_receiver_killed_between_storing_and_finishing_loses_nothing(
    spawn: Spawn,
) -> None:
    async with spawn() as (receiver, sender):
        job = sender.new_job()
        # Only finish_content writes an event: this lock stops the receiver between the two calls.
        with psycopg.connect(sender.database) as barrier:
            barrier.execute("lock table upload_pipeline.events in share mode")
            sending = asyncio.create_task(
                sender.send_envelope(envelope_of(job, content="# stored"))
            )
            await until(lambda: bool(sender.query("select path from upload_pipeline.contents")))
            path = sender.one("select path from upload_pipeline.contents")["path"]
            await until(lambda: sender.file_of(path).exists())
            receiver.process.kill()
            with pytest.raises(aiohttp.ClientError):
                await sending
            # The backend of the killed receiver would still finish. If a machine dies, both end.
            sender.query(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                " where starts_with(application_name, 'hookline-receiver ')"
            )
        assert sender.job(job)["status"] == "uploaded"
        row = sender.one("select content, stored_at from upload_pipeline.contents")
        assert row == {"content": None, "stored_at": None}

    async with spawn() as (_, sender):
        set_clock(sender, LATER)
        await until(lambda: sender.job(job)["status"] == "parsed")
        assert (await sender.send_envelope(envelope_of(job, content="# stored")))[1]["outcome"] == (
            "duplicate"
        )
        assert len(sender.events(job)) == 2
        assert sender.query("select * from upload_pipeline.check_integrity()") == []


async def test_what_a_killed_receiver_was_writing_is_gone_after_the_erasure(
    spawn: Spawn, tmp_path: Path
) -> None:
    hanging, hangs = tmp_path / "hanging", tmp_path / "hangs"
    hanging.mkdir()
    (hanging / "sitecustomize.py").write_text(
        "import os, pathlib, time\nfsync = os.fsync\n"
        f"def hang(descriptor):\n    while pathlib.Path({str(hangs)!r}).exists():\n"
        "        time.sleep(0.01)\n    fsync(descriptor)\nos.fsync = hang\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join([str(hanging), *sys.path])}

    def holding(sender: Sender) -> list[Path]:
        files = (path for path in sender.objects.rglob("*") if path.is_file())
        return [path for path in files if b"a private text" in path.read_bytes()]

    async with spawn(**environment) as (receiver, sender):
        first, job = sender.new_job(), sender.new_job()
        assert (await sender.send_envelope(envelope_of(first)))[0] == 200
        hangs.touch()
        envelope = envelope_of(job, content="# a private text")
        sending = asyncio.create_task(sender.send_envelope(envelope))
        await until(lambda: bool(holding(sender)))
        receiver.process.kill()
        with pytest.raises(aiohttp.ClientError):
            await sending
    hangs.unlink()

    async with spawn(**environment) as (receiver, sender):
        await until(lambda: bool(receiver.lines("unfinished_writes_removed")))
        assert holding(sender) == []
        assert (await sender.send_envelope(envelope))[0] == 200
        assert len(holding(sender)) == 1
        sender.query("select upload_pipeline.erase_document(%s)", job.document_id)
        set_clock(sender, timedelta(minutes=10))
        await until(lambda: not sender.query("select path from upload_pipeline.deletions"))
        assert holding(sender) == []
        names = [path.name for path in sender.objects.rglob("*")]
        assert str(job.document_id) not in names, "no directory bears the id of the document"


@pytest.fixture
async def durable(
    start: Start, postgres18: Server
) -> AsyncIterator[tuple[ThrowawayPostgres, Sender]]:
    """A receiver on a Postgres of its own with fsync on, which a test may kill."""
    async with over_own_postgres(start, postgres18, {}) as both:
        yield both


def _moved(sender: Sender) -> set[UUID]:
    rows = sender.query(
        "select job_id from upload_pipeline.upload_jobs where status in ('parse_ready', 'parsed')"
    )
    return {row["job_id"] for row in rows}


async def test_postgres_killed_under_load_keeps_every_acknowledged_delivery(
    durable: tuple[ThrowawayPostgres, Sender],
) -> None:
    postgres, sender = durable
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat a failure
    dice = random.Random(seed)

    jobs = [(sender.submitted(f"p-{number}"), f"p-{number}") for number in range(150)]
    deliveries = [
        (
            job,
            sender.send_envelope(envelope_of(job, content=f"# {parse_job_id}"))
            if dice.random() < 0.5
            else sender.send_event(event_of(parse_job_id, event_id=str(uuid4()))),
        )
        for job, parse_job_id in jobs
    ]
    dice.shuffle(deliveries)
    waiting = iter(deliveries)
    acknowledged = []
    refused = []
    killed = asyncio.Event()

    async def send() -> None:
        for job, delivery in waiting:
            status, answer = await delivery
            if status == 200:
                acknowledged.append((job, answer["outcome"]))
                if len(acknowledged) == 20:
                    # In this thread: 130 deliveries are left, and none of them ends first.
                    postgres.kill()
                    killed.set()
            else:
                refused.append((job, status))

    sending = [asyncio.create_task(send()) for _ in range(8)]
    await killed.wait()
    sender.close()
    await asyncio.sleep(0.2)
    await asyncio.to_thread(postgres.start)
    await asyncio.gather(*sending)

    # Most waited for Postgres to come back. A call that was under way may have been refused.
    assert len(acknowledged) + len(refused) == len(jobs)
    assert {status for _, status in refused} <= {500, 503}
    assert {outcome for _, outcome in acknowledged} == {"applied"}
    moved = _moved(sender)
    assert {job.job_id for job, _ in acknowledged} <= moved
    assert sender.query("select * from upload_pipeline.check_integrity()") == []

    set_clock(sender, LATER)
    for job, _ in refused:
        await sender.send_envelope(envelope_of(job, content=f"# again {job.job_id}"))
    await until(lambda: len(_moved(sender)) == len(jobs))
    assert sender.query("select * from upload_pipeline.check_integrity()") == []
