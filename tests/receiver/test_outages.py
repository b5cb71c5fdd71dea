"""While storage or Postgres is away, nothing is acknowledged before it is durable, or lost."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from hookline.postgres.pool import transaction
from hookline.standalone.embedded import ThrowawayPostgres
from support.failover import Failover
from support.receiver_process import over_own_postgres
from support.sender import LATER, Sender, Start, envelope_of, event_of, set_clock
from support.servers import Server
from support.waiting import until


async def test_storage_down_is_500_with_the_content_kept_and_the_drain_finishes_it(
    sender: Sender,
) -> None:
    job = sender.new_job()
    sender.objects.rename(sender.objects.with_name("gone"))
    status, answer = await sender.send_envelope(envelope_of(job, content="# kept"))

    assert (status, answer["detail"]) == (500, "Internal server error")
    assert sender.job(job)["status"] == "uploaded"
    assert len(sender.events(job)) == 1
    kept = sender.one("select content, stored_at from upload_pipeline.contents")
    assert kept == {"content": b"# kept", "stored_at": None}
    assert sender.deliveries()[0]["outcome"] == "kept"

    sender.objects.with_name("gone").rename(sender.objects)
    set_clock(sender, LATER)
    await until(lambda: sender.job(job)["status"] == "parsed")
    assert sender.file_of(sender.job(job)["parsed_path"]).read_bytes() == b"# kept"
    assert sender.one("select content from upload_pipeline.contents")["content"] is None
    assert sender.deliveries()[0]["outcome"] == "applied"


async def test_after_a_storage_outage_the_senders_retry_finishes_it_too(sender: Sender) -> None:
    job = sender.new_job()
    sender.objects.rename(sender.objects.with_name("gone"))
    assert (await sender.send_envelope(envelope_of(job)))[0] == 500
    assert (await sender.send_envelope(envelope_of(job)))[0] == 500

    sender.objects.with_name("gone").rename(sender.objects)
    status, answer = await sender.send_envelope(envelope_of(job))
    assert (status, answer["outcome"]) == (200, "applied")
    assert len(sender.events(job)) == 2
    assert sender.query("select * from upload_pipeline.check_integrity()") == []


async def test_a_hanging_storage_is_abandoned_at_the_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, fsync = threading.Event(), os.fsync

    def hang(descriptor: int) -> None:
        answers.wait()
        fsync(descriptor)

    # Below every way to write, so that the test does not depend on which one is taken.
    monkeypatch.setattr(os, "fsync", hang)
    async with start(storage_deadline=0.2) as sender:
        try:
            job = sender.new_job()
            async with asyncio.timeout(20):
                status, _ = await sender.send_envelope(envelope_of(job, content="# kept"))
            assert status == 500
            assert sender.job(job)["status"] == "uploaded"
            kept = sender.one("select content, stored_at from upload_pipeline.contents")
            assert kept == {"content": b"# kept", "stored_at": None}
        finally:
            answers.set()
        set_clock(sender, LATER)
        await until(lambda: sender.job(job)["status"] == "parsed")
        assert sender.file_of(sender.job(job)["parsed_path"]).read_bytes() == b"# kept"


async def test_objects_of_an_erased_document_are_deleted(sender: Sender) -> None:
    job = sender.new_job()
    await sender.send_envelope(envelope_of(job))
    file = sender.file_of(sender.job(job)["parsed_path"])
    assert file.exists()

    sender.query("select upload_pipeline.erase_document(%s)", job.document_id)
    assert file.exists(), "deleted only after open writes have ended"
    set_clock(sender, timedelta(minutes=6))
    await until(lambda: not sender.query("select path from upload_pipeline.deletions"))
    assert not file.exists()


async def test_no_file_of_an_erased_owner_is_left_in_storage(sender: Sender) -> None:
    job = sender.new_job()
    await sender.send_envelope(envelope_of(job))
    document = sender.one("select owner_id, raw_path from upload_pipeline.documents")
    raw = sender.file_of(document["raw_path"])
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_bytes(b"%PDF-")
    sender.query("select upload_pipeline.cancel_job(%s)", job.job_id)
    sender.query("select upload_pipeline.purge('0', least_age => '0')")
    assert len([path for path in sender.objects.rglob("*") if path.is_file()]) == 2

    sender.query("select upload_pipeline.erase_owner(%s)", document["owner_id"])
    set_clock(sender, timedelta(minutes=6))
    await until(lambda: not sender.query("select path from upload_pipeline.deletions"))
    assert [path for path in sender.objects.rglob("*") if path.is_file()] == []


async def test_a_lock_that_a_dba_forgot_is_503_and_changes_nothing(sender: Sender) -> None:
    job = sender.submitted("p-1")
    with psycopg.connect(sender.database) as forgotten:
        forgotten.execute(
            "select from upload_pipeline.upload_jobs where job_id = %s for update", [job.job_id]
        )
        status, answer = await sender.send_event(event_of("p-1"))
    assert (status, answer["title"]) == (503, "Service Unavailable")
    assert sender.job(job)["status"] == "parse_queued"
    assert sender.deliveries() == []


async def test_an_error_within_a_function_is_500_so_that_the_sender_sends_it_again(
    sender: Sender,
) -> None:
    job = sender.submitted("p-1")
    # A time that leaves the range of a timestamp, as a wrong row of the machine's tables once made.
    sender.query(
        "create or replace function upload_pipeline.clock() returns timestamptz language sql"
        " volatile as $$ select timestamptz '294276-12-31 23:59:59+00' $$"
    )
    status, answer = await sender.send_event(event_of("p-1"))
    assert (status, answer["detail"]) == (500, "Internal server error")
    assert sender.job(job)["status"] == "parse_queued"


@pytest.fixture
async def fragile(
    start: Start, postgres18: Server
) -> AsyncIterator[tuple[ThrowawayPostgres, Sender]]:
    """A receiver on a Postgres of its own, which a test may kill."""
    async with over_own_postgres(start, postgres18, {"fsync": "off"}) as both:
        yield both


async def test_postgres_away_is_503_and_the_receiver_comes_back_by_itself(
    fragile: tuple[ThrowawayPostgres, Sender],
) -> None:
    postgres, sender = fragile
    job = sender.submitted("p-1")
    assert (await sender.send_event(event_of("p-0")))[0] == 200

    await asyncio.to_thread(postgres.kill)
    sender.close()
    async with sender.http.get(sender.url + "/healthz") as response:
        assert response.status == 200
    async with sender.http.get(sender.url + "/readyz") as response:
        assert response.status == 503
        assert await response.json() == {"ready": False, "fault": "database"}
    status, answer = await sender.send_event(event_of("p-1"))
    assert (status, answer["title"]) == (503, "Service Unavailable")

    await asyncio.to_thread(postgres.start)
    async with asyncio.timeout(30):
        while (await sender.send_event(event_of("p-1")))[0] != 200:
            await asyncio.sleep(0.1)
    assert sender.job(job)["status"] == "parse_ready"

    async def ready() -> bool:
        async with sender.http.get(sender.url + "/readyz") as response:
            return response.status == 200

    async with asyncio.timeout(10):
        while not await ready():
            await asyncio.sleep(0.1)


async def test_many_readiness_probes_ask_postgres_only_once(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = []

    def count(pool: AsyncConnectionPool) -> AbstractAsyncContextManager[psycopg.AsyncConnection]:
        questions.append(pool)
        return transaction(pool)

    monkeypatch.setattr("hookline.process.readiness.transaction", count)

    async def ask() -> int:
        async with sender.http.get(sender.url + "/readyz") as response:
            return response.status

    assert set(await asyncio.gather(*(ask() for _ in range(30)))) == {200}
    assert len(questions) == 1

    monkeypatch.setattr("hookline.process.readiness._VALID_FOR", 0.0)
    assert await ask() == 200
    assert len(questions) == 2, "an answer is given again only for a while"


async def test_readiness_says_what_is_wrong(start: Start, database: str) -> None:
    revoke = "revoke execute on all functions in schema upload_pipeline from hookline_ingest"
    async with start() as sender:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(revoke)
        async with sender.http.get(sender.url + "/readyz") as response:
            assert (response.status, await response.json()) == (
                503,
                {"ready": False, "fault": "database"},
            )
        async with sender.http.get(sender.admin_url + "/readyz") as response:
            assert "hookline_ingest" in (await response.json())["fault"]


async def test_after_a_failover_an_idle_receiver_is_ready_again_within_seconds(
    start: Start, database: str
) -> None:
    failover = Failover(database)
    async with start() as sender:

        async def ask(url: str) -> tuple[int, str | None]:
            async with sender.http.get(f"{url}/readyz") as response:
                return response.status, (await response.json())["fault"]

        status, fault = await ask(sender.admin_url)
        assert status == 503
        assert "only reads" in (fault or "")
        assert await ask(sender.url) == (503, "database")
        assert (await sender.send_event(event_of("p-1")))[0] == 503

        failover.end()
        async with asyncio.timeout(10):
            while (await ask(sender.url))[0] != 200:
                await asyncio.sleep(0.2)
        assert {(await sender.send_event(event_of(f"p-{n}")))[0] for n in range(20)} == {200}
