"""Stage `parse_queued`: the provider is asked about overdue jobs, and its answer counts once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud
from hookline.worker.parsing.stages import make_parser_stages
from support.clocks import set_clock_of_this_process
from support.cloud_worker import FAST, PDF, CloudWorker, Employ


@pytest.mark.parametrize(
    ("content", "code", "status"),
    [
        (PDF, "parse_ready", "parse_ready"),
        (b"%FAIL PDF_IS_PROTECTED", "parse_ended", "parse_ready"),
    ],
    ids=["completed", "failed"],
)
async def test_the_end_of_a_job_is_asked_for_when_no_webhook_came(
    worker: CloudWorker, content: bytes, code: str, status: str
) -> None:
    job_id = await worker.submitted(content)
    await worker.cloud.settle()
    assert await worker.work("parse_queued") == 0
    worker.later(minutes=31)
    assert await worker.work("parse_queued") == 1
    assert (worker.codes(job_id), worker.status(job_id)) == (["parse_submitted", code], status)
    [delivery] = worker.query("select * from upload_pipeline.webhook_deliveries")
    assert (delivery["source"], delivery["outcome"]) == ("llamacloud", "applied")
    assert delivery["payload"]["asked"] is True


async def test_a_cancellation_at_the_provider_fails_the_job(worker: CloudWorker) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    [parse_job] = worker.jobs_there(job_id)
    worker.cloud.jobs.cancel(parse_job)
    await worker.ask()
    assert (worker.status(job_id), worker.last_error(job_id)) == (
        "failed_parse",
        "parse_cancelled",
    )
    worker.cloud.jobs.release()


async def test_a_question_that_never_ends_delays_its_job_and_no_later_question(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_ends(*given: object) -> None:
        await asyncio.Event().wait()

    job_id = await worker.submitted()
    await worker.cloud.settle()
    settings = worker.settings.model_copy(update={"provider_timeout": 0.1})
    worker.parsing = make_parser_stages(worker.provider, settings)
    with monkeypatch.context() as patched:
        patched.setattr(worker.provider, "ask_many", never_ends)
        await worker.ask()
    assert worker.last_error(job_id) == "provider_unanswered"
    await worker.ask()
    assert worker.status(job_id) == "parse_ready"


async def test_a_job_that_still_runs_is_deferred_and_asked_about_again(worker: CloudWorker) -> None:
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    for _ in range(4):
        await worker.ask()
    assert worker.codes(job_id) == ["parse_submitted"] + ["stage_deferred"] * 4
    assert worker.last_error(job_id) == "parse_running"
    worker.cloud.jobs.release()
    await worker.cloud.settle()
    worker.later(minutes=1)
    assert await worker.work("parse_queued") == 1
    assert worker.status(job_id) == "parse_ready"


@pytest.mark.parametrize("days", [2, -2])
async def test_a_wrong_clock_of_the_worker_does_not_start_a_running_job_over(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    set_clock_of_this_process(monkeypatch, timedelta(days=days))
    worker.cloud.jobs.hold()
    job_id = await worker.submitted()
    await worker.ask()
    assert (worker.status(job_id), worker.last_error(job_id)) == ("parse_queued", "parse_running")
    worker.cloud.jobs.release()


async def test_a_job_that_never_ends_is_cancelled_at_the_provider_and_started_over(
    worker: CloudWorker,
) -> None:
    job_id = await worker.submitted(b"%STUCK")
    worker.later(hours=25)
    await worker.work("parse_queued")
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_stuck")
    await worker.do("requests")
    [parse_job] = worker.jobs_there(job_id)
    assert parse_job.status == "CANCELLED"


async def test_a_job_that_the_provider_has_forgotten_is_started_over(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    worker.cloud.jobs.jobs.clear()
    await worker.ask()
    assert (worker.status(job_id), worker.last_error(job_id)) == ("uploaded", "parse_job_unknown")


async def test_a_job_that_is_not_listed_yet_is_asked_for_by_its_id(employ: Employ) -> None:
    cloud = LlamaCloud(seed=7, pace=replace(FAST, list_lag_seconds=10**7))
    async with employ(cloud) as worker:
        job_id = await worker.submitted()
        await cloud.settle()
        await worker.ask()
        assert worker.status(job_id) == "parse_ready"


async def test_many_jobs_are_asked_about_in_one_request(worker: CloudWorker) -> None:
    for number in range(12):
        await worker.upload(PDF + b"%d" % number)
    assert await worker.work("uploaded") == 12
    await worker.cloud.settle()
    before = len(worker.cloud.requests)
    await worker.ask()
    assert worker.cloud.requests[before:] == [("GET", "/api/v2/parse", 200)]
    assert await worker.work("parse_ready") == 12


async def test_errors_of_the_provider_count_no_try(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    for fault in ("http_429", "http_5xx", "reset"):
        worker.cloud.faults = Faults(**{fault: 1.0})  # type: ignore[arg-type]
        await worker.ask()
    assert worker.codes(job_id)[1:] == ["stage_deferred"] * 3
    worker.cloud.faults = Faults()
    await worker.ask()
    assert worker.status(job_id) == "parse_ready"


async def test_a_late_answer_after_another_worker_reported_changes_nothing(
    worker: CloudWorker,
) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    worker.later(minutes=31)
    [job] = await worker.engine.claim_jobs("parse_queued", "slow")
    worker.query("select upload_pipeline.release_job(%s)", job_id)
    await worker.ask()
    await worker.work_on(job)
    assert worker.codes(job_id) == ["parse_submitted", "job_released", "parse_ready"]
