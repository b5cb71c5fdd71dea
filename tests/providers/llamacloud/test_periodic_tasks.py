"""The periodic tasks: polling, parked deliveries, and the settling of credits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud
from hookline.providers.client import ParseJob
from support.cloud_worker import CREDITS, FAST, PDF, CloudWorker, Employ


async def test_without_webhooks_the_end_is_polled_within_seconds(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    await worker.do("polling")
    assert worker.status(job_id) == "parse_queued"
    worker.later(seconds=2)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_ready"


async def test_a_parked_delivery_whose_job_is_known_is_applied(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    [parse_job] = worker.jobs_there(job_id)
    worker.query(
        "insert into upload_pipeline.webhook_deliveries"
        " (source, delivery_id, body_sha256, event_type, outcome, parse_job_id, code,"
        " check_after) values ('llamacloud', 'e-1', repeat('a', 64), 'parse.success', 'parked',"
        " %s, 'parse_ready', now())",
        parse_job.id,
    )
    await worker.do("parked")
    assert worker.status(job_id) == "parse_ready"


async def test_late_billing_is_settled(employ: Employ) -> None:
    cloud = LlamaCloud(seed=7, pace=replace(FAST, billing_seconds=500))
    async with employ(cloud) as worker:
        job_id = await worker.submitted()
        await worker.do("billing")
        assert worker.settled(job_id) is None
        worker.later(minutes=11)
        await worker.do("billing")
        assert worker.settled(job_id) is None
        await cloud.settle()
        worker.later(minutes=11)
        await worker.do("billing")
        assert worker.settled(job_id) == CREDITS


async def test_a_failed_parse_is_settled_at_zero(worker: CloudWorker) -> None:
    job_id = await worker.ready(b"%FAIL PDF_IS_BROKEN")
    await worker.work("parse_ready")
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) is None
    worker.later(minutes=61)
    await worker.do("billing")
    assert worker.settled(job_id) == 0


async def test_a_forgotten_provider_job_is_settled_as_reserved(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    worker.cloud.jobs.jobs.clear()
    worker.later(hours=47)
    await worker.do("billing")
    assert worker.settled(job_id) is None
    worker.later(hours=2)
    await worker.do("billing")
    assert worker.settled(job_id) == CREDITS


async def test_a_reservation_without_a_submission_is_settled_at_zero(worker: CloudWorker) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) == 0


async def test_a_reservation_made_again_during_the_search_stays_open(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it were settled, the next worker would not look for the submission, and pay again."""
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.later(minutes=11)
    listed = worker.provider.find

    async def overtaken(since: datetime) -> list[ParseJob]:
        found = await listed(since)
        await worker.engine.reserve_credits(job_id, job.lease_token, 20, again=True)
        return found

    monkeypatch.setattr(worker.provider, "find", overtaken)
    await worker.do("billing")
    assert worker.settled(job_id) is None


async def test_an_unrecorded_submission_is_found_and_its_late_success_counts(
    worker: CloudWorker,
) -> None:
    """A worker dies after it submitted, the job fails permanently, then the parse succeeds."""
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    worker.cloud.faults = Faults(http_5xx_after_create=1)
    await worker.work_on(job)
    worker.cloud.faults = Faults()
    await worker.cloud.settle()
    worker.later(minutes=5)
    [job] = await worker.engine.claim_jobs("uploaded", "other")
    await worker.engine.fail_job(
        job_id, job.lease_token, {"code": "gave_up", "error": "x"}, permanent=True
    )
    assert worker.status(job_id) == "failed_parse"

    worker.later(minutes=6)
    await worker.do("billing")
    assert worker.status(job_id) == "parse_ready"
    await worker.work("parse_ready")
    assert await worker.stored(job_id)
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) == CREDITS == worker.cloud.jobs.credits_billed


async def test_an_unrecorded_submission_is_found_after_the_clock_of_postgres_was_set_back(
    worker: CloudWorker,
) -> None:
    worker.later(days=1)
    worker.cloud.faults = Faults(http_5xx_after_create=1)
    job_id = await worker.upload()
    await worker.work("uploaded")
    worker.cloud.faults = Faults()
    await worker.cloud.settle()
    worker.later(days=-1)
    await worker.do("billing")
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) == CREDITS == worker.cloud.jobs.credits_billed


async def test_billing_goes_on_while_the_provider_is_in_trouble(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    worker.cloud.faults = Faults(http_5xx=1)
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) is None


async def test_polling_goes_on_after_errors_and_stops_when_the_job_has_ended(
    worker: CloudWorker,
) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    worker.cloud.faults = Faults(http_5xx=1)
    for _ in range(3):
        worker.later(minutes=1)
        await worker.do("polling")
    worker.cloud.faults = Faults()
    worker.later(minutes=1)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_ready"
    before = len(worker.cloud.requests)
    worker.later(minutes=1)
    await worker.do("polling")
    assert len(worker.cloud.requests) == before


async def test_many_reservations_are_settled_in_one_run(worker: CloudWorker) -> None:
    for number in range(5):
        await worker.upload(PDF + b"%d" % number)
    await worker.work("uploaded")
    await worker.cloud.settle()
    worker.later(minutes=11)
    await worker.do("billing")
    assert not worker.query(
        "select 1 from upload_pipeline.credit_reservations where settled_at is null"
    )
