"""What a worker does beside its jobs: polling, parked notifications, and what was billed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from fakes.llamacloud.faults import Faults
from fakes.llamacloud.server import LlamaCloud
from hookline.providers.llamacloud.jobs import ParseJob
from support.cloud_worker import CREDITS, FAST, PDF, CloudWorker, Employ


async def test_without_a_webhook_the_end_is_asked_for_within_seconds(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    await worker.do("polling")
    assert worker.status(job_id) == "parse_queued"
    worker.later(seconds=2)
    await worker.do("polling")
    assert worker.status(job_id) == "parse_ready"


async def test_what_is_parked_though_its_job_is_known_is_applied(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    [parse_job] = worker.jobs_there(job_id)
    worker.query(
        "insert into upload_pipeline.webhook_deliveries"
        " (source, delivery_id, body_sha256, event_type, outcome, parse_job_id, code)"
        " values ('llamacloud', 'e-1', repeat('a', 64), 'parse.success', 'parked', %s,"
        " 'parse_ready')",
        parse_job.id,
    )
    await worker.do("parked")
    assert worker.status(job_id) == "parse_ready"


async def test_what_was_billed_late_is_settled(employ: Employ) -> None:
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


async def test_a_parse_that_failed_is_free_in_the_end(worker: CloudWorker) -> None:
    job_id = await worker.ready(b"%FAIL PDF_IS_BROKEN")
    await worker.work("parse_ready")
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) is None
    worker.later(minutes=61)
    await worker.do("billing")
    assert worker.settled(job_id) == 0


async def test_what_cannot_be_asked_any_more_is_settled_as_reserved(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    await worker.cloud.settle()
    worker.cloud.jobs.jobs.clear()
    worker.later(hours=47)
    await worker.do("billing")
    assert worker.settled(job_id) is None
    worker.later(hours=2)
    await worker.do("billing")
    assert worker.settled(job_id) == CREDITS


async def test_a_reservation_that_led_to_nothing_is_given_back(worker: CloudWorker) -> None:
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "dies")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.query("select upload_pipeline.cancel_job(%s)", job_id)
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) == 0


async def test_what_a_worker_reserves_anew_while_it_is_looked_for_is_not_given_back(
    worker: CloudWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next one finds nothing open, does not look for the order, and pays again."""
    job_id = await worker.upload()
    [job] = await worker.engine.claim_jobs("uploaded", "slow")
    await worker.engine.reserve_credits(job_id, job.lease_token, 20)
    worker.later(minutes=11)
    listed = worker.provider.jobs_since

    async def overtaken(since: datetime) -> list[ParseJob]:
        found = await listed(since)
        await worker.engine.reserve_credits(job_id, job.lease_token, 20, again=True)
        return found

    monkeypatch.setattr(worker.provider, "jobs_since", overtaken)
    await worker.do("billing")
    assert worker.settled(job_id) is None


async def test_a_submission_that_nobody_finished_is_found_and_its_success_is_late_not_lost(
    worker: CloudWorker,
) -> None:
    """A worker dies after it submitted; the job fails for good; the parse succeeds."""
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


async def test_billing_goes_on_while_the_provider_is_in_trouble(worker: CloudWorker) -> None:
    job_id = await worker.submitted()
    worker.cloud.faults = Faults(http_5xx=1)
    worker.later(minutes=11)
    await worker.do("billing")
    assert worker.settled(job_id) is None


async def test_a_provider_in_trouble_is_polled_again_and_an_ended_job_is_not(
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
