"""How a handler ends decides the job's next step, and what is stored and logged of an error."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import structlog

from hookline.postgres.deliveries import Content
from hookline.postgres.engine import Engine
from hookline.stages import Advance, Deferred, Failed, HandedOver, Job, Paused, Stage, Tools
from support.clocks import set_clock_of_this_process
from support.waiting import until
from support.workplace import DOCUMENT, Workplace

Handled = Advance | HandedOver | str


def _nested(times: int) -> list[object]:
    value: list[object] = []
    for _ in range(times):
        value = [value]
    return value


async def _complete(job: Job, tools: Tools) -> Handled:
    return "job_completed"


async def test_a_handler_reads_the_content_and_its_code_moves_the_job(
    workplace: Workplace,
) -> None:
    read = []

    async def index(job: Job, tools: Tools) -> Handled:
        read.append(await tools.markdown(job))
        return Advance("job_completed", {"chunks": 3})

    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", index)):
        await until(lambda: workplace.status(job_id) == "complete")
    assert read == [DOCUMENT]
    event = workplace.one(
        "select payload from upload_pipeline.events where job_id = %s and code = 'job_completed'",
        job_id,
    )
    assert event["payload"] == {"chunks": 3}


async def _store_content(job: Job, tools: Tools) -> None:
    """End the lease as a parser does: with the job's content."""
    content = b"# parsed here"
    sha256 = hashlib.sha256(content).hexdigest()
    receipt = await tools.engine.receive_content(
        "test",
        sha256,
        Content(
            delivery_id=str(uuid4()),
            event_type="test",
            job_id=job.job_id,
            content=content,
            content_sha256=sha256,
            content_bytes=len(content),
        ),
    )
    assert receipt.path is not None
    assert receipt.ordinal is not None
    await tools.storage.write(receipt.path, content)
    await tools.engine.finish_content(job.job_id, receipt.ordinal)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records the calls that end a lease, from here on."""
    calls: list[str] = []
    for name in ("advance_jobs", "advance_job", "fail_job", "defer_job", "release_lease"):
        original = getattr(Engine, name)

        def recorded(self: Engine, *args: Any, _original: Any = original, **options: Any) -> Any:
            calls.append(_original.__name__)
            return _original(self, *args, **options)

        monkeypatch.setattr(Engine, name, recorded)
    return calls


def _results(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["result"] for line in lines if line["event"] == "job"]


async def test_a_handler_may_end_the_lease_itself(workplace: Workplace, told: list[str]) -> None:
    async def parse(job: Job, tools: Tools) -> Handled:
        await _store_content(job, tools)
        return HandedOver()

    job_id = workplace.uploaded_job()
    # The first handler's own step wakes the second stage.
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("uploaded", parse), Stage("parsed", _complete)):
            await until(lambda: workplace.status(job_id) == "complete")
    assert workplace.codes(job_id) == [
        *("job_created", "upload_confirmed", "parse_completed", "job_completed")
    ]
    assert told == ["advance_jobs"]
    assert _results(lines) == ["handed_over", "advanced"]


async def test_after_a_hand_over_the_worker_calls_no_function_of_the_engine(
    workplace: Workplace, told: list[str]
) -> None:
    async def hand_over(job: Job, tools: Tools) -> Handled:
        return HandedOver()

    job_id = workplace.parsed_job()
    before = workplace.codes(job_id)
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", hand_over)):
            await until(lambda: bool(_results(lines)))
    assert _results(lines) == ["handed_over"]
    assert told == []
    # Whoever has it now ends the lease, or it expires.
    assert workplace.job(job_id)["lease_token"] is not None
    assert workplace.codes(job_id) == before


async def test_a_handler_that_ends_the_lease_and_returns_none_is_logged_as_faulty(
    workplace: Workplace,
) -> None:
    async def parse(job: Job, tools: Tools) -> Handled:
        await _store_content(job, tools)
        return None  # type: ignore[return-value]

    job_id = workplace.uploaded_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("uploaded", parse)):
            await until(lambda: bool(_results(lines)))
    assert workplace.status(job_id) == "parsed"
    assert _results(lines) == ["lost"]
    (fault,) = [line for line in lines if line["event"] == "handler_result_wrong"]
    assert "HandedOver" in fault["error"]


async def test_a_handler_that_fails_three_times_fails_its_job_and_says_why(
    workplace: Workplace,
) -> None:
    async def fail(job: Job, tools: Tools) -> Handled:
        raise Failed("INDEX_IS_FULL", "No space is left.")

    workplace.retry_at_once()
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", fail)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert workplace.codes(job_id)[-3:] == ["stage_retried", "stage_retried", "stage_failed"]
    assert workplace.job(job_id)["last_error"] == {
        "code": "INDEX_IS_FULL",
        "error": "No space is left.",
    }


async def test_a_permanent_failure_fails_its_job_at_once(workplace: Workplace) -> None:
    async def fail(job: Job, tools: Tools) -> Handled:
        raise Failed("TOO_LARGE", "It has 12 chapters.", permanent=True)

    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", fail)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert workplace.codes(job_id)[-2:] == ["parse_completed", "stage_failed"]


async def test_a_failure_may_start_another_attempt(workplace: Workplace) -> None:
    async def fetch(job: Job, tools: Tools) -> Handled:
        raise Failed("RESULT_EXPIRED", "It is gone.", start_over=True)

    job_id = workplace.uploaded_job()
    workplace.query("select upload_pipeline.record_submission(%s, 1, 'p-1')", job_id)
    workplace.query(
        "select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'd-1',"
        " body_sha256 => repeat('0', 64), event_type => 'test', code => 'parse_ready',"
        " parse_job_id => 'p-1')"
    )
    async with workplace.working(Stage("parse_ready", fetch)):
        await until(lambda: workplace.status(job_id) == "uploaded")
    assert workplace.job(job_id)["attempt"] == 2


class _Unreadable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("raised", "kept"),
    [
        (RuntimeError("index 'docs' is read-only"), ": index 'docs' is read-only"),
        (RuntimeError("\n  first line\nsecond line"), ": first line"),
        (RuntimeError("a\0b\ud800" + "x" * 1000), ": a\ufffdb\ufffd" + "x" * 295 + "…"),
        (RuntimeError(), ""),
        (_Unreadable(), ""),
    ],
)
async def test_a_handlers_exception_keeps_its_message_shortened(
    workplace: Workplace, raised: Exception, kept: str
) -> None:
    async def fail(job: Job, tools: Tools) -> Handled:
        raise raised

    workplace.query("update upload_pipeline.statuses set max_tries = 1")
    job_id = workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", fail)):
            await until(lambda: workplace.status(job_id) == "failed_stage")
    error = workplace.job(job_id)["last_error"]["error"]
    where, colon, message = error.partition(" fail")
    assert where.startswith(f"{type(raised).__name__} at test_outcomes.py:")
    assert (colon, message) == (" fail", kept)
    (line,) = [line for line in lines if line["event"] == "handler_failed"]
    assert line.get("message", "") == kept.removeprefix(": ")


async def test_without_error_messages_no_error_and_no_log_holds_document_text(
    workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(job: Job, tools: Tools) -> Handled:
        raise ValueError(await tools.markdown(job))

    workplace.query("update upload_pipeline.statuses set max_tries = 1")
    job_id = workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", fail), error_messages="off"):
            await until(lambda: workplace.status(job_id) == "failed_stage")
    error = workplace.job(job_id)["last_error"]
    assert error["code"] == "ValueError"
    assert "test_outcomes.py" in error["error"]
    assert "secret" not in str((error, lines, caplog.text))
    (line,) = [line for line in lines if line["event"] == "handler_failed"]
    assert line["job_id"] == str(job_id)


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (None, "no_result"),
        (17, "wrong_result"),
        (HandedOver, "wrong_result"),
        ("job_complete", "InvalidArgument"),
        (Advance("job_completed", {"x": {1}}), "TypeError"),
        (Advance("job_completed", {"x": _nested(100_000)}), "RecursionError"),
    ],
)
async def test_a_result_that_is_none_or_wrong_is_a_failed_try(
    workplace: Workplace, result: Any, code: str
) -> None:
    async def answers(job: Job, tools: Tools) -> Handled:
        return result  # type: ignore[no-any-return]

    workplace.query("update upload_pipeline.statuses set max_tries = 1")
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", answers)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert workplace.job(job_id)["last_error"]["code"] == code


@pytest.mark.parametrize("code", ["job_complete", "parse_started"])
async def test_a_wrong_code_is_told_the_legal_codes_of_the_status(
    workplace: Workplace, code: str
) -> None:
    async def answers(job: Job, tools: Tools) -> Handled:
        return code

    workplace.query("update upload_pipeline.statuses set max_tries = 1")
    job_id = workplace.parsed_job()
    with structlog.testing.capture_logs() as lines:
        async with workplace.working(Stage("parsed", answers)):
            await until(lambda: workplace.status(job_id) == "failed_stage")
    error = workplace.job(job_id)["last_error"]["error"]
    assert code in error
    assert "legal codes: job_completed." in error
    assert [line["error"] for line in lines if line["event"] == "job"] == [error]


async def test_a_code_and_a_text_that_postgres_cannot_store_are_changed_to_fit(
    workplace: Workplace,
) -> None:
    async def fail(job: Job, tools: Tools) -> Handled:
        raise Failed("429 too many!", "\0\ud800" + "x" * 20000, permanent=True)

    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", fail)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert workplace.job(job_id)["last_error"]["code"] == "error_429_too_many_"


async def test_a_deferred_job_comes_again_and_no_try_is_counted(workplace: Workplace) -> None:
    seen: list[int] = []

    async def defer(job: Job, tools: Tools) -> Handled:
        seen.append(job.version)
        if len(seen) < 6:
            raise Deferred("RATE_LIMIT", "Not so fast.", datetime.now(UTC))
        return "job_completed"

    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", defer)):
        await until(lambda: workplace.status(job_id) == "complete")
    assert workplace.codes(job_id).count("stage_deferred") == 5


async def test_a_paused_stage_is_not_claimed_until_it_is_resumed(workplace: Workplace) -> None:
    seen: set[UUID] = set()

    async def pause(job: Job, tools: Tools) -> Handled:
        if not seen:
            seen.add(job.job_id)
            until_then = datetime.now(UTC) + timedelta(hours=1)
            raise Paused("QUOTA_IS_SPENT", "The quota is spent.", until_then)
        seen.add(job.job_id)
        return "job_completed"

    first = workplace.parsed_job()
    async with workplace.working(Stage("parsed", pause)):
        await until(lambda: "stage_deferred" in workplace.codes(first))
        paused = workplace.one("select * from upload_pipeline.statuses where status = 'parsed'")
        assert paused["paused_because"] == "The quota is spent."
        second = workplace.parsed_job()
        await asyncio.sleep(0.5)
        assert seen == {first}
        workplace.query("select upload_pipeline.resume_stage('parsed')")
        await until(lambda: workplace.status(second) == "complete")


@pytest.mark.parametrize("days", [0, 1, -1])
@pytest.mark.parametrize("absolute", [True, False])
async def test_a_pause_is_as_long_when_the_clock_of_the_worker_is_wrong(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, days: int, absolute: bool
) -> None:
    set_clock_of_this_process(monkeypatch, timedelta(days=days))

    async def pause(job: Job, tools: Tools) -> Handled:
        hour = timedelta(hours=1)
        raise Paused("QUOTA_IS_SPENT", "The quota is spent.", now() + hour if absolute else hour)

    now = sys.modules["hookline.stages.outcomes"].now
    job_id = workplace.parsed_job()
    async with workplace.working(Stage("parsed", pause)):
        await until(lambda: "stage_deferred" in workplace.codes(job_id))
    left = workplace.one(
        "select s.paused_until - upload_pipeline.clock() as stage,"
        " j.run_after - upload_pipeline.clock() as job"
        " from upload_pipeline.statuses as s join upload_pipeline.upload_jobs as j using (status)"
        " where j.job_id = %s",
        job_id,
    )
    for pause_left in left.values():
        assert timedelta(minutes=55) < pause_left <= timedelta(hours=1)


def test_a_time_without_a_time_zone_is_refused_and_a_past_one_is_no_pause() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Deferred("a", "b", datetime(2026, 1, 1))
    assert Deferred("a", "b", datetime(2026, 1, 1, tzinfo=UTC)).pause == timedelta()
    assert Deferred("a", "b", timedelta.min).pause == timedelta()


async def _index(job: Job, tools: Tools) -> Handled:
    await tools.markdown(job)
    return "job_completed"


async def test_damaged_content_is_a_failed_try(workplace: Workplace) -> None:
    workplace.retry_at_once()
    job_id = workplace.parsed_job()
    for file in workplace.objects.rglob("*.md"):
        file.write_bytes(b"# Another document")
    async with workplace.working(Stage("parsed", _index)):
        await until(lambda: workplace.status(job_id) == "failed_stage")
    assert workplace.job(job_id)["last_error"]["code"] == "content_damaged"
    assert workplace.codes(job_id).count("stage_retried") == 2


async def test_a_storage_that_is_away_costs_no_try(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workplace.retry_at_once()

    def fail(path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    async with workplace.working(Stage("parsed", _index)):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "read_bytes", fail)
            job_id = workplace.parsed_job()
            await until(lambda: workplace.codes(job_id).count("stage_deferred") >= 4)
        await until(lambda: workplace.status(job_id) == "complete")
    assert "stage_retried" not in workplace.codes(job_id)


async def test_a_misconfigured_storage_pauses_the_stage_and_an_alert_says_why(
    workplace: Workplace,
) -> None:
    job_id = workplace.parsed_job()
    away = workplace.objects.rename(workplace.directory / "away")
    async with workplace.working(Stage("parsed", _index)):
        await until(lambda: "stage_deferred" in workplace.codes(job_id))
        assert workplace.job(job_id)["last_error"]["code"] == "storage_misconfigured"
        alert = workplace.one(
            "select subject, detail from upload_pipeline.alerts where alert = 'stage_paused'"
        )
        assert alert["subject"] == "parsed"
        assert "create it, or mount its disk" in alert["detail"]
        away.rename(workplace.objects)
        # Both end by themselves after a minute.
        workplace.query("select upload_pipeline.resume_stage('parsed')")
        workplace.query(
            "update upload_pipeline.upload_jobs set run_after = now() where job_id = %s", job_id
        )
        await until(lambda: workplace.status(job_id) == "complete")


@pytest.mark.parametrize(
    "raw_path", ["s3://theirs/report.pdf", f"storage://raw/{'/'.join(['n' * 240] * 3)}"]
)
async def test_a_raw_file_that_storage_cannot_have_fails_its_job_and_no_other(
    workplace: Workplace, raw_path: str
) -> None:
    async def parse(job: Job, tools: Tools) -> Handled:
        await tools.raw(job)
        raise Failed("READ", "It was read.", permanent=True)

    other = workplace.uploaded_job()
    job_id = workplace.uploaded_job()
    # A root of its own makes the longest paths too long for the file system.
    root = workplace.objects / "/".join(["r" * 250] * 14)
    root.mkdir(parents=True)
    (root / "raw").mkdir()
    (root / "raw/report.pdf").write_bytes(b"x")
    workplace.query(
        "update upload_pipeline.documents as d set raw_path = %s from upload_pipeline.upload_jobs"
        " as j where j.document_id = d.document_id and j.job_id = %s",
        raw_path,
        job_id,
    )
    async with workplace.working(Stage("uploaded", parse), storage_url=root.as_uri()):
        await until(lambda: workplace.status(job_id) == "failed_parse")
        await until(lambda: workplace.status(other) == "failed_parse")
    assert workplace.job(job_id)["last_error"]["code"] == "storage_refused"
    assert workplace.codes(job_id) == ["job_created", "upload_confirmed", "parse_failed"]
    assert workplace.job(other)["last_error"]["code"] == "raw_file_damaged"


async def test_the_admin_side_counts_what_was_done(workplace: Workplace) -> None:
    job_id = workplace.parsed_job()
    async with (
        workplace.working(Stage("parsed", _complete)) as worker,
        aiohttp.ClientSession() as http,
    ):
        await until(lambda: workplace.status(job_id) == "complete")
        async with http.get(f"{worker.admin_url}/readyz") as response:
            assert (await response.json())["fault"] is None
        await asyncio.sleep(0.05)
        async with http.get(f"{worker.admin_url}/metrics") as response:
            shown = await response.text()
    assert 'hookline_jobs_claimed_total{stage="parsed"} 1.0' in shown
    assert 'hookline_jobs_ended_total{result="advanced",stage="parsed"} 1.0' in shown
    assert 'hookline_jobs_in_flight{stage="parsed"} 0.0' in shown
