"""From a file to its markdown: the worker, the receiver and the provider, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from pydantic import SecretStr

from fakes.llamacloud.documents import expected_markdown
from fakes.llamacloud.faults import Faults
from hookline.receiver.run import receiving
from hookline.settings import Settings
from hookline.worker.parsing.configured_stages import parser_stages
from hookline.worker.run import working
from support.cloud_worker import CREDITS, PDF, CloudWorker, Employ

SECRETS = ("the-newest-secret-of-all", "the-one-before-it")

Start = Callable[..., AbstractAsyncContextManager[CloudWorker]]


@pytest.fixture
def start(employ: Employ, login: Callable[[str], str], tmp_path: Path) -> Start:
    """`async with start(**settings)`: a worker whose provider calls a receiver."""
    values: dict[str, Any] = {
        "database_url": login("ingest"),
        "storage_url": f"file://{tmp_path}/objects",
        "llamacloud_secrets": SECRETS,
        "port": 0,
        "admin_port": 0,
    }
    receiver_settings = Settings(**values)

    @asynccontextmanager
    async def starting(**changes: Any) -> AsyncIterator[CloudWorker]:
        async with (
            receiving(receiver_settings) as receiver,
            employ(public_url=receiver.url, llamacloud_secrets=SECRETS, **changes) as worker,
        ):
            yield worker
            assert worker.is_whole()

    return starting


@pytest.fixture
async def called(start: Start) -> AsyncIterator[CloudWorker]:
    async with start() as worker:
        yield worker


async def test_a_file_is_parsed_by_three_calls_and_one_webhook(called: CloudWorker) -> None:
    job_id = await called.upload()
    await called.work("uploaded")
    await called.cloud.settle()
    assert called.status(job_id) == "parse_ready"
    await called.work("parse_ready")

    assert await called.stored(job_id) == expected_markdown("report.pdf", PDF)
    assert called.codes(job_id) == ["parse_submitted", "parse_ready", "parse_completed"]
    assert called.settled(job_id) == CREDITS
    methods = [method for method, *_ in called.cloud.requests]
    assert methods == ["POST", "POST", "GET"]
    [delivery] = called.cloud.webhooks.deliveries
    assert (delivery.event_type, delivery.outcome) == ("parse.success", 200)


async def test_a_webhook_before_the_id_is_recorded_is_not_lost(
    called: CloudWorker,
) -> None:
    job_id = await called.upload()
    called.cloud.faults = Faults(http_5xx_after_create=1)
    await called.work("uploaded")
    await called.cloud.settle()
    [parked] = called.query("select outcome from upload_pipeline.webhook_deliveries")
    assert (parked["outcome"], called.status(job_id)) == ("parked", "uploaded")

    called.cloud.faults = Faults()
    called.later(minutes=3)
    await called.work("uploaded")
    assert called.codes(job_id)[-2:] == ["parse_submitted", "parse_ready"]
    await called.work("parse_ready")
    assert called.status(job_id) == "parsed"


async def test_a_lost_webhook_costs_half_an_hour_and_nothing_else(
    called: CloudWorker,
) -> None:
    called.cloud.faults = Faults(webhook_dropped=1)
    job_id = await called.submitted()
    await called.cloud.settle()
    assert called.status(job_id) == "parse_queued"
    called.later(minutes=31)
    await called.work("parse_queued")
    await called.work("parse_ready")
    assert called.status(job_id) == "parsed"


async def test_a_webhook_after_the_answer_changes_nothing(called: CloudWorker) -> None:
    called.cloud.faults = Faults(webhook_late=1, late_seconds=2000)
    job_id = await called.submitted()
    [parse_job] = called.jobs_there(job_id)
    while not parse_job.ended:
        await asyncio.sleep(0.01)
    await called.ask()
    await called.work("parse_ready")
    await called.cloud.settle()
    assert len(called.cloud.webhooks.deliveries) == 1
    assert called.codes(job_id) == ["parse_submitted", "parse_ready", "parse_completed"]


async def test_a_protected_pdf_fails_with_the_providers_reason(
    called: CloudWorker,
) -> None:
    job_id = await called.submitted(b"%FAIL PDF_IS_PROTECTED")
    await called.cloud.settle()
    assert called.codes(job_id) == ["parse_submitted", "parse_ended"]
    await called.work("parse_ready")
    assert (called.status(job_id), called.last_error(job_id)) == (
        "failed_parse",
        "PDF_IS_PROTECTED",
    )


async def test_bad_webhooks_of_every_kind_move_each_job_once(called: CloudWorker) -> None:
    called.cloud.faults = Faults(
        webhook_duplicated=1,
        webhook_reissued=0.5,
        webhook_format_flipped=0.5,
        webhook_uppercase=0.5,
        webhook_only_data_id=0.5,
        webhook_foreign=1,
        webhook_forged=1,
        webhook_early=0.5,
        early_seconds=50,
    )
    jobs: dict[UUID, bytes] = {}
    for number in range(6):
        content = PDF + b"%d" % number
        jobs[await called.upload(content)] = content
    await called.work("uploaded")
    await called.cloud.settle()
    while await called.work("parse_ready"):
        called.later(minutes=1)
    for job_id, content in jobs.items():
        assert await called.stored(job_id) == expected_markdown("report.pdf", content)
        codes = [code for code in called.codes(job_id) if code != "stage_deferred"]
        assert codes == ["parse_submitted", "parse_ready", "parse_completed"]
    assert called.cloud.jobs.paid_twice("hookline_job_id") == {}


async def test_under_all_faults_together_every_file_is_parsed_and_paid_once(
    start: Start,
) -> None:
    async with start(submit_grace=0.6, answered_within=0.3) as called:
        # In real time, since the provider's listing has no other clock.
        called.query(
            "update upload_pipeline.statuses set retry_base = '10 ms', retry_cap = '50 ms',"
            " overdue_after = overdue_after / 18000 where not terminal"
        )
        jobs: dict[UUID, bytes] = {}
        for number in range(12):
            content = PDF + b"%d" % number
            jobs[await called.upload(content)] = content
        called.cloud.faults = Faults(
            http_429=0.15,
            http_5xx=0.1,
            reset=0.1,
            http_5xx_after_create=0.2,
            reset_after_create=0.2,
            hang_after_create=0.1,
            webhook_dropped=0.3,
            webhook_duplicated=0.3,
            webhook_early=0.3,
            early_seconds=50,
        )
        async with asyncio.timeout(20):
            while called.query(
                "select 1 from upload_pipeline.upload_jobs where status <> 'parsed' limit 1"
            ):
                for status in ("uploaded", "parse_queued", "parse_ready"):
                    await called.work(status)
        for job_id, content in jobs.items():
            assert await called.stored(job_id) == expected_markdown("report.pdf", content)
            assert called.codes(job_id).count("parse_completed") == 1
            assert len(called.jobs_there(job_id)) == 1
        occurred = called.cloud.draws.times()
        assert occurred["http_5xx_after_create"]
        assert occurred["webhook_dropped"]


@pytest.mark.parametrize("public", [True, False], ids=["webhook", "polled"])
async def test_a_running_worker_parses_uploaded_files(
    start: Start, login: Callable[[str], str], public: bool
) -> None:
    async with start() as called:
        changes = {
            "llama_cloud_api_key": SecretStr(called.cloud.api_key),
            "llama_cloud_base_url": called.cloud.url,
            "admin_port": 0,
        } | ({} if public else {"public_url": None})
        settings = called.settings.model_copy(update=changes)
        jobs = [await called.upload(PDF + b"%d" % number) for number in range(3)]
        with structlog.testing.capture_logs() as lines:
            async with (
                parser_stages(settings) as parser,
                working(settings, parser.stages, parser.periodic),
                asyncio.timeout(20),
            ):
                while any(called.status(job_id) != "parsed" for job_id in jobs):
                    await asyncio.sleep(0.05)
        # Each stage ends its lease by a step of its own. That is not a lost lease.
        assert {line["result"] for line in lines if line["event"] == "job"} == {"handed_over"}
        for job_id in jobs:
            assert called.codes(job_id) == ["parse_submitted", "parse_ready", "parse_completed"]
        assert bool(called.cloud.webhooks.deliveries) is public


async def test_cancelling_a_stuck_job_at_the_provider_does_not_fail_the_new_attempt(
    called: CloudWorker,
) -> None:
    job_id = await called.submitted(b"%STUCK")
    called.later(hours=25)
    await called.work("parse_queued")
    await called.do("requests")
    await called.cloud.settle()
    [delivery] = called.cloud.webhooks.deliveries
    assert (delivery.event_type, delivery.outcome) == ("parse.cancelled", 200)
    assert called.codes(job_id) == ["parse_submitted", "parse_restarted"]
    assert called.status(job_id) == "uploaded"
