"""Stage `parse_ready`: the whole result is stored once, or the provider's reason is recorded."""

from __future__ import annotations

import asyncio
import errno
import os
from dataclasses import replace
from uuid import UUID

import pytest

from fakes.llamacloud.documents import expected_markdown
from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud
from hookline.postgres.engine import Engine
from hookline.stages import Tools
from support.cloud_worker import CREDITS, FAST, PDF, CloudWorker, Employ

MANY_PAGES = b"%LONG\n\f\f"


async def test_the_markdown_is_stored_and_the_job_is_parsed(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    await worker.work("parse_ready")

    assert await worker.stored(job_id) == expected_markdown("report.pdf", PDF)
    assert worker.codes(job_id) == ["parse_submitted", "parse_ready", "parse_completed"]
    [parse_job] = worker.jobs_there(job_id)
    done = worker.event(job_id, "parse_completed")
    assert (done["parse_job_id"], done["pages"]) == (parse_job.id, 2)
    assert (done["tier"], done["version"]) == ("agentic", "latest")
    assert await worker.work("parse_ready") == 0


async def test_billed_credits_replace_reserved_credits(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    worker.query("update upload_pipeline.credit_reservations set reserved = 99")
    await worker.work("parse_ready")
    assert worker.settled(job_id) == CREDITS


async def test_a_result_is_stored_before_it_is_billed(employ: Employ) -> None:
    cloud = LlamaCloud(seed=7, pace=replace(FAST, billing_seconds=10_000_000))
    async with employ(cloud) as worker:
        job_id = await worker.submitted()
        await ended(worker, job_id)
        await worker.ask()
        await worker.work("parse_ready")
        assert (worker.status(job_id), worker.settled(job_id)) == ("parsed", None)


async def ended(worker: CloudWorker, job_id: UUID) -> None:
    """Wait until the provider job has ended, but not until it is billed."""
    [parse_job] = worker.jobs_there(job_id)
    while not parse_job.ended:
        await asyncio.sleep(0.01)


async def test_a_result_that_is_not_readable_yet_defers_the_job(worker: CloudWorker) -> None:
    worker.cloud.faults = Faults(webhook_early=1, early_seconds=500)
    job_id = await worker.submitted()
    await ended(worker, job_id)
    await worker.ask()
    await worker.work("parse_ready")
    assert worker.last_error(job_id) == "result_not_ready"
    await asyncio.sleep(0.5)
    worker.later(minutes=1)
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert worker.codes(job_id).count("stage_deferred") == 1


async def test_a_lost_result_starts_the_job_over(worker: CloudWorker) -> None:
    worker.cloud.faults = Faults(webhook_early=1, early_seconds=10**9)
    job_id = await worker.submitted()
    await ended(worker, job_id)
    await worker.ask()
    worker.later(minutes=61)
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "result_gone")
    assert worker.job(job_id)["attempt"] == 2


async def test_a_cut_page_is_recorded_before_the_text_is_stored(worker: CloudWorker) -> None:
    job_id = await worker.ready(MANY_PAGES)
    await worker.work("parse_ready")
    assert worker.codes(job_id)[-2:] == ["parse_truncated", "parse_completed"]
    assert worker.event(job_id, "parse_truncated")["pages"] == [1]
    assert worker.query("select code from upload_pipeline.events where severity = 'warn'") == [
        {"code": "parse_truncated"}
    ]


async def test_failed_pages_are_recorded_even_without_the_partial_success_webhook(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready(b"%PARTIAL\n\f\f")
    await worker.work("parse_ready")
    assert worker.event(job_id, "parse_truncated")["failed_pages"] == [3]
    assert "page 2 of 3" in await worker.stored(job_id)


PERMANENT = (
    "UNSUPPORTED_FILE_TYPE",
    "PDF_IS_PROTECTED",
    "PDF_IS_BROKEN",
    "NO_DATA_FOUND_IN_FILE",
    "DOCUMENT_TOO_LARGE",
    "TOO_MANY_PAGES",
)


async def test_a_failure_of_the_document_is_permanent_and_keeps_the_providers_code(
    worker: CloudWorker,
) -> None:
    jobs = {code: await worker.upload(f"%FAIL {code}".encode()) for code in PERMANENT}
    await worker.work("uploaded")
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    for code, job_id in jobs.items():
        assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", code)
        assert worker.job(job_id)["last_error"]["error"].startswith(f"{code}: ")
        assert worker.job(job_id)["attempt"] == 1


async def test_a_temporary_failure_starts_another_attempt_until_the_last(
    worker: CloudWorker,
) -> None:
    jobs = {
        code: await worker.upload(f"%FAIL {code}".encode()) for code in ("TIMEOUT", "SOMETHING_NEW")
    }
    for attempt in (1, 2, 3):
        for code, job_id in jobs.items():
            assert (worker.status(job_id), worker.job(job_id)["attempt"]) == ("uploaded", attempt)
            assert attempt == 1 or worker.last_error(job_id) == code
        assert await worker.work("uploaded") == 2
        await worker.cloud.settle()
        await worker.ask()
        await worker.work("parse_ready")
        worker.later(minutes=10)
    for code, job_id in jobs.items():
        assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", code)
        assert len(worker.jobs_there(job_id)) == 3


@pytest.mark.parametrize("file", [b"%BLANK", b"%SEPARATORS\f\f"])
async def test_a_document_without_text_fails_and_stores_no_content(
    worker: CloudWorker, file: bytes
) -> None:
    job_id = await worker.ready(file)
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == (
        "failed_parse",
        "NO_DATA_FOUND_IN_FILE",
    )


async def test_a_job_cancelled_at_the_provider_is_failed(
    worker: CloudWorker,
) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    [parse_job] = worker.jobs_there(job_id)
    # An earlier webhook said that it had succeeded.
    worker.query(
        "select upload_pipeline.receive_event(source => 'llamacloud', delivery_id => 'e',"
        " body_sha256 => repeat('a', 64), event_type => 'parse.success', code => 'parse_ready',"
        " parse_job_id => %s)",
        parse_job.id,
    )
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("parse_ready", "parse_running")
    worker.cloud.jobs.cancel(parse_job)
    worker.later(minutes=10)
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == (
        "failed_parse",
        "parse_cancelled",
    )
    worker.cloud.jobs.release()


async def test_a_job_that_the_provider_has_forgotten_goes_back_to_uploaded(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready()
    worker.cloud.jobs.jobs.clear()
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_job_unknown")


async def test_errors_of_the_provider_count_no_try(employ: Employ) -> None:
    async with employ(answered_within=10) as worker:
        job_id = await worker.ready()
        async with employ(_Same(worker.cloud), answered_within=0.2) as hasty:
            for fault in ("http_429", "http_5xx", "reset", "hang"):
                worker.cloud.faults = Faults(**{fault: 1.0})  # type: ignore[arg-type]
                assert await hasty.work("parse_ready") == 1
                worker.later(minutes=10)
            assert worker.codes(job_id)[2:] == ["stage_deferred"] * 4
            worker.cloud.faults = Faults()
            await hasty.work("parse_ready")
            assert worker.status(job_id) == "parsed"


class _Same(LlamaCloud):
    """The same provider for a second worker, which neither starts nor stops it."""

    def __init__(self, cloud: LlamaCloud) -> None:
        super().__init__()
        self.url = cloud.url
        self.jobs = cloud.jobs

    async def __aenter__(self) -> _Same:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def test_content_is_kept_and_costs_no_try_while_the_storage_is_away(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    job_id = await worker.ready()
    with monkeypatch.context() as patched:
        patched.setattr("hookline.storage.files.TemporaryFile", fail)
        await worker.work("parse_ready")
    assert worker.last_error(job_id) == "storage_unavailable"
    assert worker.codes(job_id)[-1] == "stage_deferred"

    worker.later(minutes=6)
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == expected_markdown("report.pdf", PDF)


async def test_content_is_kept_while_the_storage_is_misconfigured(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    parsed = worker.storage.file_of("storage://parsed/x").parent
    parsed.write_text("in the way")
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == (
        "parse_ready",
        "storage_misconfigured",
    )
    [kept] = worker.query("select content from upload_pipeline.contents")
    assert kept["content"] == expected_markdown("report.pdf", PDF).encode()
    assert await worker.work("parse_ready") == 0

    os.unlink(parsed)
    worker.later(minutes=6)
    await worker.work("parse_ready")
    assert await worker.stored(job_id) == expected_markdown("report.pdf", PDF)


async def test_content_that_storage_refuses_fails_its_job_until_the_drain_has_stored_it(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready()
    [document] = worker.query("select document_id from upload_pipeline.documents")
    place = worker.storage.file_of(f"storage://parsed/{document['document_id']}/{job_id}.md")
    os.makedirs(place)
    await worker.work("parse_ready")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("failed_parse", "storage_refused")

    os.rmdir(place)
    worker.later(minutes=6)
    [kept] = worker.query("select * from upload_pipeline.claim_contents()")
    await worker.storage.write(kept["path"], kept["content"])
    worker.query("select upload_pipeline.finish_content(%s, %s)", job_id, kept["ordinal"])
    assert worker.status(job_id) == "parsed"
    assert await worker.stored(job_id) == expected_markdown("report.pdf", PDF)


async def test_two_workers_with_the_same_result_store_one_content(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    [job] = await worker.engine.claim_jobs("parse_ready", "slow")
    worker.query("select upload_pipeline.release_job(%s)", job_id)
    await worker.work("parse_ready")
    await worker.handle(job)
    assert worker.codes(job_id)[-2:] == ["job_released", "parse_completed"]
    assert len(worker.query("select 1 from upload_pipeline.contents")) == 1


async def test_a_job_cancelled_during_the_fetch_stays_cancelled(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    [job] = await worker.engine.claim_jobs("parse_ready", "slow")
    worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    await worker.work_on(job)
    assert (worker.status(job_id), worker.codes(job_id)[-1]) == ("cancelled", "job_cancelled")


async def test_the_version_that_was_asked_for_is_kept_though_the_setting_has_changed(
    employ: Employ,
) -> None:
    async with employ(parse_version="2026-06-15") as pinned:
        job_id = await pinned.ready()
        [there] = pinned.jobs_there(job_id)
        assert there.version == "2026-06-15"
        async with employ(_Same(pinned.cloud), key=pinned.cloud.api_key) as newer:
            await newer.work("parse_ready")
        assert pinned.event(job_id, "parse_completed")["version"] == "2026-06-15"


async def test_the_successful_one_of_two_provider_jobs_counts(
    worker: CloudWorker,
) -> None:
    job_id = await worker.ready()
    [good] = worker.jobs_there(job_id)
    bad = worker.cloud.jobs.create(
        worker.cloud.jobs.upload("x", b"%FAIL TIMEOUT", "parse", None), "agentic"
    )
    await worker.cloud.settle()
    await worker.engine.record_submission(job_id, 1, bad.id)
    await worker.work("parse_ready")
    assert worker.event(job_id, "parse_completed")["parse_job_id"] == good.id


async def test_the_fetch_handler_needs_only_the_rights_of_a_worker(worker: CloudWorker) -> None:
    job_id = await worker.ready()
    [job] = await worker.engine.claim_jobs("parse_ready", "any")
    engine = Engine(worker.pool)
    [stage] = [one for one in worker.parsing.stages if one.status == "parse_ready"]
    await stage.handler(job, Tools(engine, worker.storage, worker.settings))
    assert worker.status(job_id) == "parsed"
