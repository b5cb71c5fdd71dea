"""A receiver that stores in Supabase: a webhook becomes an object, even after failures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog

from fakes.supabase_storage import SECRET_KEY, Bucket, SupabaseImitation
from hookline.receiver.run import receiving
from support.sender import ENVELOPE_SECRET, LATER, Sender, Start, envelope_of, set_clock
from support.waiting import until


@pytest.fixture
def start(
    database: str,
    login: Callable[[str], str],
    supabase: SupabaseImitation,
    monkeypatch: pytest.MonkeyPatch,
) -> Start:
    monkeypatch.setattr("hookline.receiver.drain._POLL_INTERVAL", 0.05)

    @asynccontextmanager
    async def starting(**changes: Any) -> AsyncIterator[Sender]:
        settings = supabase.settings(
            database_url=login("ingest"),
            llamaparse_secrets=(ENVELOPE_SECRET,),
            port=0,
            admin_port=0,
            **changes,
        )
        async with receiving(settings) as receiver, aiohttp.ClientSession() as http:
            urls = receiver.url, receiver.admin_url
            with closing(Sender(*urls, http, database, Path())) as sender:
                yield sender

    return starting


async def test_an_envelope_becomes_an_object_and_its_job_parsed(
    start: Start, supabase: SupabaseImitation
) -> None:
    async with start() as sender:
        job = sender.new_job()
        status, answer = await sender.send_envelope(envelope_of(job, content="# Größe\n"))
        assert (status, answer["outcome"]) == (200, "applied")
        row = sender.job(job)
    assert row["status"] == "parsed"
    [((bucket, key), stored)] = supabase.objects.items()
    assert f"storage://{bucket}/{key}" == row["parsed_path"]
    assert (stored.content, stored.mime) == ("# Größe\n".encode(), "text/markdown")
    assert row["parsed_bytes"] == len(stored.content)


async def test_while_supabase_is_away_content_is_kept_and_later_drained(
    start: Start, supabase: SupabaseImitation
) -> None:
    async with start() as sender:
        job = sender.new_job()
        await supabase.stop()
        status, answer = await sender.send_envelope(envelope_of(job, content="# kept"))
        assert (status, answer["detail"]) == (500, "Internal server error")
        assert sender.job(job)["status"] == "uploaded"
        kept = sender.one("select content, stored_at from upload_pipeline.contents")
        assert kept == {"content": b"# kept", "stored_at": None}

        await supabase.start()
        set_clock(sender, LATER)
        await until(lambda: sender.job(job)["status"] == "parsed")
        assert [stored.content for stored in supabase.objects.values()] == [b"# kept"]


async def test_a_permanent_storage_error_is_logged_as_an_error_and_still_retried(
    start: Start, supabase: SupabaseImitation
) -> None:
    supabase.buckets["parsed"] = Bucket(["text/plain"])
    with structlog.testing.capture_logs() as logs:
        async with start() as sender:
            job = sender.new_job()
            assert (await sender.send_envelope(envelope_of(job)))[0] == 500

            set_clock(sender, LATER)
            await until(lambda: any(line["event"] == "storage_failed" for line in logs))
            supabase.buckets["parsed"] = Bucket()
            supabase.database_is_down = True
            set_clock(sender, 10 * LATER)
            await until(lambda: sum(line["event"] == "storage_failed" for line in logs) > 1)
            supabase.database_is_down = False
            set_clock(sender, 100 * LATER)
            await until(lambda: sender.job(job)["status"] == "parsed")
    first, second, *_ = (line for line in logs if line["event"] == "storage_failed")
    assert (first["log_level"], second["log_level"]) == ("error", "warning")
    assert first["reason"] == (
        "bucket parsed does not take text/markdown: add it to the bucket's allowed_mime_types"
    )
    assert first["job_id"] == str(job.job_id)
    assert SECRET_KEY not in str(logs)


async def test_an_unusable_storage_is_logged_at_the_start_and_the_receiver_runs_on(
    start: Start, supabase: SupabaseImitation
) -> None:
    supabase.buckets.clear()
    with structlog.testing.capture_logs() as logs:
        async with start() as sender:
            await until(lambda: any(line["event"] == "storage_unusable" for line in logs))
            supabase.buckets["parsed"] = Bucket()
            assert (await sender.send_envelope(envelope_of(sender.new_job())))[0] == 200
    [told] = [line for line in logs if line["event"] == "storage_unusable"]
    assert told["log_level"] == "error"
    assert "bucket parsed does not exist" in told["reason"]
