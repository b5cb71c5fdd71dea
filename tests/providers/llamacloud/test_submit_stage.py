"""Stage `uploaded`: whatever happens, the file is submitted once and paid for once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud
from hookline.postgres.engine import Engine
from hookline.postgres.errors import StaleLease
from hookline.postgres.records import Receipt, Reservation
from hookline.providers.errors import Unanswered
from support.clocks import set_clock_of_this_process
from support.cloud_worker import CREDITS, FAST, GRACE, PAGES, PDF, CloudWorker, Employ

_A_MINUTE = timedelta(minutes=1)


async def test_a_file_is_submitted_once_with_its_name_and_job_id(worker: CloudWorker) -> None:
    job_id = await worker.upload(name="Bericht 1.pdf")
    assert await worker.work("uploaded") == 1

    [parse_job] = worker.jobs_there(job_id)
    assert (parse_job.file.name, parse_job.file.data) == ("Bericht 1.pdf", PDF)
    assert parse_job.user_metadata == {
        "hookline_job_id": str(job_id),
        "attempt": "1",
        "version": "latest",
        "file_id": parse_job.file.id,
    }
    assert parse_job.tier == "agentic"
    assert worker.codes(job_id) == ["parse_submitted"]
    assert worker.status(job_id) == "parse_queued"
    assert worker.event(job_id, "parse_submitted")["parse_job_id"] == parse_job.id
    assert await worker.work("uploaded") == 0


async def test_credits_are_reserved_before_the_submission(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    assert worker.reservation(job_id)["reserved"] == CREDITS == 10 * PAGES
    assert worker.settled(job_id) is None


async def test_credits_for_an_uncountable_file_are_reserved_by_the_setting(employ: Employ) -> None:
    async with employ(assumed_pages=7) as worker:
        job_id = await worker.submitted(b"one two three")
        assert worker.reservation(job_id)["reserved"] == 70


@pytest.mark.parametrize("stored", [PDF[:-1], PDF.replace(b"1.7", b"1.6")])
async def test_a_raw_file_that_differs_from_its_upload_is_a_permanent_failure(
    worker: CloudWorker, stored: bytes
) -> None:
    job_id = await worker.upload()
    await worker.storage.write(worker.raw_path(), stored)
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == (
        "failed_parse",
        "raw_file_damaged",
    )
    assert not worker.cloud.jobs.files


async def test_a_missing_raw_file_is_a_failed_try(worker: CloudWorker) -> None:
    job_id = await worker.upload()
    await worker.storage.delete(worker.raw_path())
    await worker.work("uploaded")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "raw_file_missing")


@pytest.mark.parametrize("operation", ["upload", "create"])
async def test_a_rate_limit_counts_no_try_and_keeps_no_reservation(
    worker: CloudWorker, operation: str
) -> None:
    worker.cloud.faults = Faults(operations=(operation,), http_429=1)
    job_id = await worker.upload()
    for _ in range(5):
        await worker.work("uploaded")
        worker.later(minutes=10)
    assert worker.codes(job_id) == ["stage_deferred"] * 5
    assert (worker.last_error(job_id), worker.settled(job_id)) == ("rate_limited", 0)

    worker.cloud.faults = Faults()
    await worker.work("uploaded")
    assert len(worker.jobs_there(job_id)) == 1


async def test_a_spent_quota_pauses_the_stage_and_keeps_the_job(worker: CloudWorker) -> None:
    worker.cloud.faults = Faults(http_402_requests=(0, 1))
    first, second = await worker.upload(), await worker.upload(PDF + b"2")
    await worker.work("uploaded", batch=1)

    until, reason = worker.paused("uploaded")
    assert until is not None
    assert timedelta(minutes=14) < until - worker.now()
    assert "402" in str(reason)
    assert worker.query("select subject from upload_pipeline.alerts") == [{"subject": "uploaded"}]
    assert await worker.work("uploaded") == 0
    assert {worker.status(first), worker.status(second)} == {"uploaded"}

    worker.later(minutes=16)
    assert await worker.work("uploaded") == 2
    assert len(worker.jobs_there(first)) == len(worker.jobs_there(second)) == 1


async def test_a_wrong_key_pauses_the_stage_and_names_the_variable(employ: Employ) -> None:
    async with employ(key="llx-wrong") as worker:
        job_id = await worker.upload()
        await worker.work("uploaded")
        assert "LLAMA_CLOUD_API_KEY" in str(worker.paused("uploaded")[1])
        assert "llx-wrong" not in str(worker.job(job_id))
        assert (worker.status(job_id), worker.settled(job_id)) == ("uploaded", 0)


async def test_an_unreachable_provider_keeps_no_reservation(employ: Employ) -> None:
    async with employ() as worker:
        job_id = await worker.upload()
        url = worker.cloud.url
        await worker.cloud.__aexit__()
        async with employ(_Gone(url)) as cut_off:
            await cut_off.work("uploaded")
        assert worker.codes(job_id) == ["stage_deferred"]
        assert (worker.last_error(job_id), worker.settled(job_id)) == ("provider_unanswered", 0)


class _Gone(LlamaCloud):
    """A provider that does not run: only its address is known."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    async def __aenter__(self) -> _Gone:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


async def test_a_submission_that_was_never_sent_keeps_no_reservation(
    employ: Employ,
) -> None:
    """The provider goes away between the upload and the submission."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        await site.stop()
        answer = web.json_response({"id": "file-1", "name": "report.pdf", "project_id": "p"})
        answer.force_close()
        return answer

    application = web.Application()
    application.router.add_post("/api/v1/beta/files", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with employ(_Gone(f"http://127.0.0.1:{runner.addresses[0][1]}")) as worker:
        job_id = await worker.upload()
        await worker.work("uploaded")
        assert (worker.last_error(job_id), worker.settled(job_id)) == ("provider_unanswered", 0)
    await runner.cleanup()


async def test_a_job_created_without_an_answer_is_found_and_not_created_again(
    employ: Employ,
) -> None:
    async with employ(answered_within=2) as worker:
        jobs = []
        for fault in ("http_5xx_after_create", "reset_after_create", "hang_after_create"):
            worker.cloud.faults = Faults(**{fault: 1.0})  # type: ignore[arg-type]
            jobs.append(await worker.upload(PDF + fault.encode()))
            assert await worker.work("uploaded") == 1
        for job_id in jobs:
            assert worker.codes(job_id) == ["stage_deferred"]
            assert worker.last_error(job_id) == "submission_unanswered"
            assert worker.settled(job_id) is None

        worker.cloud.faults = Faults()
        worker.later(seconds=GRACE + 1)
        before = len(worker.cloud.requests)
        assert await worker.work("uploaded") == 3
        # One listing serves all three.
        assert len(worker.cloud.requests) == before + 1
        for job_id in jobs:
            [parse_job] = worker.jobs_there(job_id)
            assert worker.event(job_id, "parse_submitted")["parse_job_id"] == parse_job.id


async def test_a_job_that_was_not_created_is_created_after_the_grace(employ: Employ) -> None:
    async with employ(answered_within=2) as worker:
        jobs = []
        for fault in ("http_5xx", "reset", "hang"):
            troubles: dict[str, Any] = {fault: 1.0, "operations": ("create",)}
            worker.cloud.faults = Faults(**troubles)
            jobs.append(await worker.upload(PDF + fault.encode()))
            assert await worker.work("uploaded") == 1
        assert worker.cloud.jobs.jobs == {}

        worker.cloud.faults = Faults()
        worker.later(seconds=GRACE - 5)
        assert await worker.work("uploaded") == 0
        worker.later(seconds=7)
        assert await worker.work("uploaded") == 3
        for job_id in jobs:
            assert len(worker.jobs_there(job_id)) == 1
            assert worker.reservation(job_id)["reserved"] == CREDITS


async def test_a_crash_before_the_id_is_recorded_costs_once(worker: CloudWorker) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    worker.cloud.faults = Faults(hang_after_create=1)
    dying = asyncio.create_task(worker.handle(job))
    while not worker.cloud.jobs.jobs:
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.wait({dying})
    worker.cloud.faults = Faults()
    await worker.cloud.settle()

    worker.later(seconds=90)
    assert await worker.work("uploaded") == 0  # swept: it comes again after a pause
    worker.later(seconds=10)
    await worker.work("uploaded")
    # It had ended meanwhile, and no other webhook would come.
    assert worker.codes(job_id) == ["lease_expired", "parse_submitted", "parse_ready"]
    await worker.work("parse_ready")
    assert worker.status(job_id) == "parsed"
    assert len(worker.jobs_there(job_id)) == 1
    assert worker.cloud.jobs.credits_billed == CREDITS == worker.settled(job_id)


async def test_after_a_worker_died_submitting_another_submits_after_the_grace(
    worker: CloudWorker,
) -> None:
    """As in the crash above, but nothing had been created: one job, and not before the grace."""
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)

    worker.later(seconds=90)
    assert await worker.work("uploaded") == 0  # swept: it comes again after a pause
    worker.later(seconds=10)
    assert await worker.work("uploaded") == 1
    assert worker.last_error(job_id) == "submission_unknown"
    assert worker.cloud.jobs.jobs == {}
    worker.later(seconds=GRACE)
    await worker.work("uploaded")
    assert len(worker.jobs_there(job_id)) == 1


@pytest.mark.parametrize("days", [1, -1])
async def test_a_worker_with_a_wrong_clock_looks_before_it_pays_and_waits_for_the_grace(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    set_clock_of_this_process(monkeypatch, timedelta(days=days))
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.query("select upload_pipeline.release_job(%s)", job_id)

    await worker.work("uploaded")
    assert worker.last_error(job_id) == "submission_unknown"
    assert worker.cloud.jobs.jobs == {}
    worker.later(seconds=GRACE - 10)
    assert await worker.work("uploaded") == 0
    worker.later(seconds=11)
    assert await worker.work("uploaded") == 1
    assert len(worker.jobs_there(job_id)) == 1


@pytest.mark.parametrize("days", [1, -1])
@pytest.mark.parametrize("corrected", [True, False])
async def test_a_wrong_clock_of_postgres_costs_no_second_submission(
    worker: CloudWorker, days: int, corrected: bool
) -> None:
    """Its clock is wrong when the job is submitted, and still or no longer when one looks."""
    worker.later(days=days)
    worker.cloud.faults = Faults(http_5xx_after_create=1)
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert worker.last_error(job_id) == "submission_unanswered"
    worker.cloud.faults = Faults()
    worker.later(days=-days if corrected else 0, seconds=GRACE + 1)
    await worker.work("uploaded")
    [parse_job] = worker.jobs_there(job_id)
    assert worker.event(job_id, "parse_submitted")["parse_job_id"] == parse_job.id


async def test_the_grace_starts_anew_when_the_clock_of_postgres_was_set_back(
    worker: CloudWorker,
) -> None:
    job_id = await worker.upload()
    worker.later(days=1)
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.query("select upload_pipeline.release_job(%s)", job_id)
    worker.later(days=-1)
    await worker.work("uploaded")
    assert worker.last_error(job_id) == "submission_unknown"
    worker.later(seconds=GRACE + 1)
    await worker.work("uploaded")
    assert len(worker.jobs_there(job_id)) == 1


@pytest.mark.parametrize("days", [1, -1])
async def test_a_worker_with_a_wrong_clock_pauses_as_long_as_another(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    set_clock_of_this_process(monkeypatch, timedelta(days=days))
    worker.cap(25)
    await worker.submitted()
    await worker.upload(PDF + b"2")
    await worker.work("uploaded")
    [cap] = worker.query("select resets_at from upload_pipeline.credit_status")
    until, _ = worker.paused("uploaded")
    assert until is not None
    assert cap["resets_at"] <= until < cap["resets_at"] + _A_MINUTE

    worker.query("select upload_pipeline.resume_stage('uploaded')")
    worker.cap(1000)
    worker.cloud.faults = Faults(http_402_requests=(0, 1))
    await worker.upload(PDF + b"3")
    await worker.work("uploaded")
    until, _ = worker.paused("uploaded")
    assert until is not None
    assert timedelta(minutes=14) < until - worker.now() <= timedelta(minutes=15)


async def test_a_submitted_job_that_is_not_listed_yet_is_waited_for(employ: Employ) -> None:
    cloud = LlamaCloud(seed=7, pace=replace(FAST, speed=10, list_lag_seconds=5))
    async with employ(cloud) as worker:
        cloud.faults = Faults(http_5xx_after_create=1)
        job_id = await worker.upload()
        await worker.work("uploaded")
        cloud.faults = Faults()
        worker.query("update upload_pipeline.upload_jobs set run_after = upload_pipeline.clock()")
        await worker.work("uploaded")
        assert worker.last_error(job_id) == "submission_unknown"
        await asyncio.sleep(0.6)
        worker.later(seconds=GRACE)
        await worker.work("uploaded")
        [parse_job] = worker.jobs_there(job_id)
        assert worker.event(job_id, "parse_submitted")["parse_job_id"] == parse_job.id


async def test_a_worker_that_lost_its_lease_submits_nothing(worker: CloudWorker) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")
    worker.query("select upload_pipeline.release_job(%s)", job_id)
    await worker.work("uploaded")
    await worker.work_on(job)
    assert len(worker.jobs_there(job_id)) == 1


async def test_a_worker_that_loses_its_lease_during_the_upload_submits_nothing(
    worker: CloudWorker,
) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")

    class Overtaken(Engine):
        async def reserve_credits(self, *arguments: Any, **options: Any) -> Reservation:
            reservation = await super().reserve_credits(*arguments, **options)
            worker.query("select upload_pipeline.release_job(%s)", job_id)
            return reservation

    with pytest.raises(StaleLease):
        await worker.handle(job, Overtaken(worker.pool))
    assert worker.cloud.jobs.files == {}
    assert worker.cloud.jobs.jobs == {}


async def test_a_failed_upload_keeps_the_reservation_of_another_worker(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")

    async def fails_late(*_: object) -> str:
        monkeypatch.undo()
        worker.query("select upload_pipeline.release_job(%s)", job_id)
        worker.later(seconds=GRACE + 1)
        await worker.work("uploaded")
        raise Unanswered("The connection broke.")

    monkeypatch.setattr(worker.provider, "prepare", fails_late)
    await worker.work_on(job)
    assert worker.status(job_id) == "parse_queued"
    assert worker.settled(job_id) is None
    await worker.cloud.settle()
    await worker.ask()
    await worker.work("parse_ready")
    assert worker.settled(job_id) == CREDITS == worker.cloud.jobs.credits_billed


async def test_the_grace_starts_after_the_wait_for_the_rate_limit(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait may take ten seconds. Another worker must not submit meanwhile."""

    async def turn() -> None:
        worker.later(seconds=GRACE)

    monkeypatch.setattr(worker.provider._parses, "wait_for_turn", turn)
    job_id = await worker.submitted()
    age = worker.now() - worker.reservation(job_id)["reserved_at"]
    assert age < timedelta(seconds=GRACE / 2)


async def test_a_job_cancelled_during_the_submission_is_cancelled_at_the_provider(
    worker: CloudWorker,
) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")
    worker.cloud.jobs.hold()

    class Overtaken(Engine):
        async def record_submission(self, *arguments: Any) -> Receipt:
            worker.query("select upload_pipeline.cancel_job(%s)", job_id)
            return await super().record_submission(*arguments)

    await worker.handle(job, Overtaken(worker.pool))
    await worker.do("requests")
    [parse_job] = worker.jobs_there(job_id)
    assert (worker.status(job_id), parse_job.status) == ("cancelled", "CANCELLED")
    worker.cloud.jobs.release()


async def test_an_owner_without_credits_waits_for_the_next_window_and_stops_no_other(
    worker: CloudWorker,
) -> None:
    worker.cap(10, worker.owner_id)
    job_id = await worker.upload()
    await worker.work("uploaded")
    assert worker.last_error(job_id) == "budget_exceeded"
    assert worker.paused("uploaded") == (None, None)
    [cap] = worker.query("select resets_at from upload_pipeline.credit_status")
    assert cap["resets_at"] <= worker.job(job_id)["run_after"] < cap["resets_at"] + _A_MINUTE
    assert not worker.cloud.requests


async def test_a_spent_common_budget_pauses_the_stage_until_the_next_window(
    worker: CloudWorker,
) -> None:
    worker.cap(25)
    await worker.submitted()
    job_id = await worker.upload(PDF + b"2")
    await worker.work("uploaded")
    [cap] = worker.query("select resets_at from upload_pipeline.credit_status")
    until, reason = worker.paused("uploaded")
    assert until is not None
    assert cap["resets_at"] <= until < cap["resets_at"] + _A_MINUTE
    assert "cap" in str(reason)
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "budget_exceeded")


async def test_a_document_over_the_budget_does_not_stop_the_others(employ: Employ) -> None:
    async with employ(assumed_pages=2) as worker:
        worker.cap(40)
        dear = await worker.upload(b"%PDF-1.7\n" + b"/Type /Page\n" * 5)
        usual = await worker.upload()
        await worker.work("uploaded")
        assert worker.paused("uploaded") == (None, None)
        assert worker.last_error(dear) == "budget_exceeded"
        assert worker.status(usual) == "parse_queued"
