"""The official SDK and the real verifier take the imitation for LlamaCloud."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import llama_cloud
import pytest
from aiohttp import web
from llama_cloud import AsyncLlamaCloud, DefaultAsyncHttpxClient

from fakes.llamacloud.documents import PAGE_LIMIT, expected_markdown
from fakes.llamacloud.faults import KINDS, Faults
from fakes.llamacloud.jobs import Pace, now
from fakes.llamacloud.server import LlamaCloud
from fakes.llamacloud.webhooks import ATTEMPTS, USER_AGENT
from hookline.postgres.deliveries import Notice
from hookline.sources import llamacloud, llamaparse_push
from hookline.sources.refusals import NotProven
from hookline.sources.signatures import verify_llamacloud

FAST = Pace(speed=1000, list_lag_seconds=0)
PDF = b"%PDF-1.7\n/Type /Pages /Kids [1 2]\n/Type /Page\n/Type/Page\n"
# Else each client of the SDK reads all certificate authorities, which takes longer than a test.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
SECRET = "whsec_looks-like-another-scheme"


class Receiver:
    """What a webhook finds at our end: its headers and bytes are kept, its answers are scripted."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.arrived: list[float] = []
        self.answers: list[int] = []
        """Statuses for the next messages; 200 after the last. A 0 is no answer."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.messages.append((dict(request.headers), await request.read()))
        self.arrived.append(time.time())
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            await asyncio.sleep(60)
        return web.Response(status=status)

    def notices(self) -> list[Notice]:
        """The messages as the real source reads them, each proven."""
        for headers, body in self.messages:
            verify_llamacloud(headers.get("LC-Signature"), body, [SECRET.encode()])
        return [llamacloud.parse(body) for _, body in self.messages]

    def types(self) -> list[str]:
        return [notice.event_type.removeprefix("parse.") for notice in self.notices()]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


class Customer:
    """A customer's program: the official SDK, as our workers use it."""

    def __init__(self, cloud: LlamaCloud, sdk: AsyncLlamaCloud) -> None:
        self.cloud = cloud
        self.sdk = sdk

    async def upload(self, data: bytes = PDF, name: str = "report.pdf") -> str:
        file = await self.sdk.files.create(
            file=(name, data, "application/pdf"), purpose="parse", external_file_id="doc-1"
        )
        return file.id

    async def create(self, data: bytes = PDF, tier: str = "agentic", **options: Any) -> str:
        job = await self.sdk.parsing.create(
            tier=tier, version="latest", file_id=await self.upload(data), **options
        )
        return job.id

    async def parse(self, data: bytes = PDF, **options: Any) -> str:
        job_id = await self.create(data, **options)
        await self.cloud.settle()
        return job_id

    async def listed(self, **query: Any) -> list[str]:
        return [job.id async for job in self.sdk.parsing.list(**query)]


@asynccontextmanager
async def customer_of(
    cloud: LlamaCloud, patience: float = 10, key: str = ""
) -> AsyncIterator[Customer]:
    async with (
        cloud,
        AsyncLlamaCloud(
            api_key=key or cloud.api_key,
            base_url=cloud.url,
            timeout=patience,
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(verify=NO_TLS),
        ) as sdk,
    ):
        yield Customer(cloud, sdk)


@pytest.fixture
async def customer() -> AsyncIterator[Customer]:
    async with customer_of(LlamaCloud(seed=7, pace=FAST)) as customer:
        yield customer


def hook(receiver: Receiver, **options: Any) -> dict[str, Any]:
    return {
        "webhook_configurations": [
            {"webhook_url": receiver.url, "webhook_signing_secret": SECRET, **options}
        ]
    }


# Files, jobs and results


async def test_a_file_is_uploaded_with_its_name_and_our_id(customer: Customer) -> None:
    file = await customer.sdk.files.create(
        file=("Bericht ü.pdf", PDF, "application/pdf"), purpose="parse", external_file_id="doc-1"
    )
    assert (file.name, file.file_type, file.purpose, file.external_file_id) == (
        "Bericht ü.pdf",
        "pdf",
        "parse",
        "doc-1",
    )
    assert customer.cloud.jobs.files[file.id].data == PDF


async def test_a_job_is_created_pending_with_its_metadata(customer: Customer) -> None:
    metadata = {"job_id": "j1", "attempt": "1"}
    job = await customer.sdk.parsing.create(
        tier="agentic", version="latest", file_id=await customer.upload(), user_metadata=metadata
    )
    assert (job.status, job.tier, job.name, job.user_metadata) == (
        "PENDING",
        "agentic",
        "report.pdf",
        metadata,
    )
    assert job.created_at is not None
    assert job.created_at.utcoffset() == timedelta()


async def test_a_result_is_not_found_before_it_is_ready(customer: Customer) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create()
    with pytest.raises(llama_cloud.NotFoundError) as caught:
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    assert caught.value.body == {
        "detail": "Result not found. Check job status to see if it has completed."
    }
    assert (await customer.sdk.parsing.get(job_id)).job.status in ("PENDING", "RUNNING")
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    result = await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    assert result.job.status == "COMPLETED"
    assert result.markdown_full == expected_markdown("report.pdf", PDF)
    assert "page 2 of 2" in result.markdown_full


async def test_what_is_not_asked_for_is_not_in_the_answer(customer: Customer) -> None:
    job_id = await customer.parse()
    bare = await customer.sdk.parsing.get(job_id)
    assert (bare.markdown_full, bare.markdown, bare.job.usage) == (None, None, None)
    full = await customer.sdk.parsing.get(job_id, expand=["markdown", "text_full", "usage"])
    assert full.markdown is not None
    assert [page.success for page in full.markdown.pages] == [True, True]
    assert full.text_full == expected_markdown("report.pdf", PDF)
    assert full.job.usage is not None
    assert full.job.usage.credits == 20


async def test_credits_are_null_until_they_are_billed() -> None:
    slow_bills = Pace(speed=1000, billing_seconds=3_600_000)
    async with customer_of(LlamaCloud(pace=slow_bills)) as customer:
        job_id = await customer.create()
        while (await customer.sdk.parsing.get(job_id)).job.status != "COMPLETED":
            await asyncio.sleep(0.001)
        usage = (await customer.sdk.parsing.get(job_id, expand=["usage"])).job.usage
        assert usage is not None
        assert usage.credits is None


async def test_jobs_are_listed_by_id_status_and_time_newest_first(customer: Customer) -> None:
    first, second = await customer.parse(b"1"), await customer.parse(b"2")
    failed = await customer.parse(b"%FAIL TIMEOUT")
    assert await customer.listed() == [failed, second, first]
    assert await customer.listed(job_ids=[first, failed, str(uuid4())]) == [failed, first]
    assert await customer.listed(status="FAILED") == [failed]
    assert await customer.listed(created_at_on_or_after=now() + timedelta(hours=1)) == []
    assert len(await customer.listed(created_at_on_or_before=now())) == 3


async def test_a_listing_goes_on_over_pages_while_jobs_arrive(customer: Customer) -> None:
    jobs = [await customer.create(str(number).encode()) for number in range(5)]
    page = await customer.sdk.parsing.list(page_size=2)
    await customer.create(b"one more")
    assert [job.id async for job in page] == jobs[::-1]


async def test_a_job_just_created_is_not_listed_yet() -> None:
    async with customer_of(LlamaCloud(pace=Pace(list_lag_seconds=3600))) as customer:
        job_id = await customer.create()
        assert await customer.listed(job_ids=[job_id]) == []
        assert (await customer.sdk.parsing.get(job_id)).job.id == job_id
        customer.cloud.jobs.jobs[job_id].listed_at = now()
        assert await customer.listed(job_ids=[job_id]) == [job_id]


async def test_a_cancelled_job_has_no_result_and_costs_nothing(customer: Customer) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create()
    assert (await customer.sdk.parsing.cancel(job_id)).status == "CANCELLED"
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    with pytest.raises(llama_cloud.NotFoundError, match="Result not found"):
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    with pytest.raises(llama_cloud.BadRequestError, match="CANCELLED cannot be cancelled"):
        await customer.sdk.parsing.cancel(job_id)
    assert customer.cloud.jobs.credits_billed == 0


@pytest.mark.parametrize("code", ["PDF_IS_PROTECTED", "UNSUPPORTED_FILE_TYPE", "TOO_MANY_PAGES"])
async def test_a_file_fails_with_the_code_that_it_asks_for(customer: Customer, code: str) -> None:
    job_id = await customer.parse(f"%FAIL {code}\n".encode())
    job = (await customer.sdk.parsing.get(job_id)).job
    assert job.status == "FAILED"
    assert (job.error_message or "").startswith(f"{code}: ")
    with pytest.raises(llama_cloud.NotFoundError, match="Result not found"):
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])


async def test_a_file_becomes_what_its_marker_says(customer: Customer) -> None:
    async def markdown(data: bytes) -> str:
        job_id = await customer.parse(data)
        result = await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
        assert result.markdown_full is not None
        return result.markdown_full

    assert await markdown(b"%BLANK") == ""
    assert len((await markdown(b"%LONG")).encode()) == PAGE_LIMIT
    assert "page 2 of 3" in await markdown(b"%PARTIAL\f\f")
    assert "page 3 of 3" not in await markdown(b"%PARTIAL\f\f")


async def test_a_stuck_job_runs_for_ever(customer: Customer) -> None:
    job_id = await customer.parse(b"%STUCK")
    assert (await customer.sdk.parsing.get(job_id)).job.status == "RUNNING"


async def test_the_sdk_drops_the_metadata_of_a_job_created_with_its_file(
    customer: Customer,
) -> None:
    job = await customer.sdk.parsing.create(
        tier="fast",
        version="latest",
        upload_file=("report.pdf", PDF, "application/pdf"),
        user_metadata={"job_id": "j1"},
    )
    assert job.user_metadata is None


# Who pays


async def test_a_job_that_is_paid_twice_is_found(customer: Customer) -> None:
    for job, attempt in [("j1", "1"), ("j2", "1"), ("j2", "2"), ("j2", "2")]:
        await customer.parse(user_metadata={"job": job, "attempt": attempt})
    jobs = customer.cloud.jobs
    assert jobs.credits_billed == 80
    assert jobs.billed("job") == {("j1",): 20, ("j2",): 60}
    assert jobs.paid_twice("job", "attempt") == {("j2", "2"): 2}
    assert [len(made) for made in jobs.submissions("job").values()] == [1, 3]


# Refusals


async def refuse_unknown_job(customer: Customer) -> None:
    await customer.sdk.parsing.get(str(uuid4()))


async def refuse_markdown_of_fast(customer: Customer) -> None:
    job_id = await customer.parse(tier="fast")
    await customer.sdk.parsing.get(job_id, expand=["markdown_full"])


async def refuse_no_file(customer: Customer) -> None:
    await customer.sdk.parsing.create(tier="fast", version="latest")


async def refuse_unknown_file(customer: Customer) -> None:
    await customer.sdk.parsing.create(tier="fast", version="latest", file_id=str(uuid4()))


async def refuse_metadata(customer: Customer) -> None:
    await customer.create(user_metadata={"attempt": 1})


async def refuse_tier(customer: Customer) -> None:
    await customer.create(tier="premium")


@pytest.mark.parametrize(
    ("ask", "error", "detail"),
    [
        (refuse_unknown_job, llama_cloud.NotFoundError, "Parse job not found"),
        (refuse_markdown_of_fast, llama_cloud.BadRequestError, "Markdown is not available"),
        (refuse_no_file, llama_cloud.BadRequestError, "file_id or source_url"),
        (refuse_unknown_file, llama_cloud.NotFoundError, "File not found"),
        (refuse_metadata, llama_cloud.UnprocessableEntityError, "user_metadata"),
        (refuse_tier, llama_cloud.UnprocessableEntityError, "tier"),
    ],
)
async def test_a_refusal_is_the_sdks_exception_and_says_why(
    customer: Customer,
    ask: Callable[[Customer], Awaitable[None]],
    error: type[llama_cloud.APIStatusError],
    detail: str,
) -> None:
    with pytest.raises(error) as caught:
        await ask(customer)
    assert isinstance(caught.value.body, dict)
    assert detail in str(caught.value.body["detail"])


async def test_a_wrong_key_is_refused() -> None:
    async with customer_of(LlamaCloud(), key="llx-other") as customer:
        with pytest.raises(llama_cloud.AuthenticationError):
            await customer.listed()


# What goes wrong at the API

BEFORE: dict[str, type[llama_cloud.APIError]] = {
    "http_429": llama_cloud.RateLimitError,
    "http_5xx": llama_cloud.InternalServerError,
    "hang": llama_cloud.APITimeoutError,
    "reset": llama_cloud.APIConnectionError,
}


@pytest.mark.parametrize("kind", BEFORE)
async def test_a_fault_before_a_request_leaves_no_trace(kind: str) -> None:
    cloud = LlamaCloud(pace=FAST, faults=Faults(**{kind: 1}))  # type: ignore[arg-type]
    async with customer_of(cloud, patience=0.5 if "hang" in kind else 10) as customer:
        with pytest.raises(BEFORE[kind]) as caught:
            await customer.upload()
        assert type(caught.value) is BEFORE[kind]
        if kind == "reset":
            assert isinstance(caught.value.__cause__, httpx.ReadError)
        if isinstance(caught.value, llama_cloud.RateLimitError):
            assert "retry-after" not in caught.value.response.headers
        assert cloud.luck.times() == {kind: 1}
        assert not cloud.jobs.files
        cloud.faults = Faults()
        await customer.upload()


AFTER: dict[str, type[llama_cloud.APIError]] = {
    "http_5xx_after_create": llama_cloud.InternalServerError,
    "hang_after_create": llama_cloud.APITimeoutError,
    "reset_after_create": llama_cloud.APIConnectionError,
}


@pytest.mark.parametrize("kind", AFTER)
async def test_a_job_that_nobody_was_told_of_is_paid_for_and_can_be_found(kind: str) -> None:
    cloud = LlamaCloud(pace=FAST, faults=Faults(**{kind: 1}))  # type: ignore[arg-type]
    async with customer_of(cloud, patience=0.5 if "hang" in kind else 10) as customer:
        with pytest.raises(AFTER[kind]) as caught:
            await customer.create(user_metadata={"job": "j1"})
        assert type(caught.value) is AFTER[kind]
        await cloud.settle()
        (listed,) = [job async for job in customer.sdk.parsing.list()]
        assert listed.user_metadata == {"job": "j1"}
        assert cloud.jobs.billed("job") == {("j1",): 20}


@pytest.mark.parametrize(
    "window", [{"http_402_requests": (1, 3)}, {"http_402_seconds": (0, 3_600_000)}]
)
async def test_a_spent_quota_is_a_bare_status_error_for_a_while(window: dict[str, Any]) -> None:
    async with customer_of(LlamaCloud(pace=FAST)) as customer:
        await customer.create()
        customer.cloud.faults = Faults(**window)
        if "http_402_requests" in window:
            await customer.create()
        for _ in range(2):
            with pytest.raises(llama_cloud.APIStatusError) as caught:
                await customer.create()
            assert type(caught.value) is llama_cloud.APIStatusError
            assert caught.value.status_code == 402
        if "http_402_seconds" in window:
            customer.cloud.faults = Faults(http_402_seconds=(3_600_000, 7_200_000))
        await customer.create()
        assert customer.cloud.luck.times() == {"http_402": 2}


async def test_a_provider_that_is_away_is_a_connection_error() -> None:
    async with customer_of(LlamaCloud()) as customer:
        await customer.cloud.__aexit__()
        with pytest.raises(llama_cloud.APIConnectionError):
            await customer.upload()


async def test_faults_strike_only_the_operations_that_they_are_for() -> None:
    faults = Faults(http_5xx=1, operations=("list",))
    async with customer_of(LlamaCloud(pace=FAST, faults=faults)) as customer:
        await customer.create()
        with pytest.raises(llama_cloud.InternalServerError):
            await customer.listed()


# Webhooks


async def test_a_webhook_is_proven_and_read_by_the_real_source(
    customer: Customer, receiver: Receiver
) -> None:
    job_id = await customer.parse(
        **hook(receiver, webhook_events=["parse.success"], webhook_headers={"X-Tenant": "t1"})
    )
    ((headers, body),) = receiver.messages
    (notice,) = receiver.notices()
    assert (notice.event_type, notice.code, notice.parse_job_id) == (
        "parse.success",
        "parse_ready",
        job_id,
    )
    assert headers["X-Webhook-Event-ID"] == notice.delivery_id
    assert headers["X-Webhook-Event-Type"] == "parse.success"
    assert headers["User-Agent"] == USER_AGENT
    assert headers["X-Tenant"] == "t1"
    assert isinstance(json.loads(body), str)


async def test_a_webhook_is_an_object_where_that_was_asked_for(
    customer: Customer, receiver: Receiver
) -> None:
    job_id = await customer.parse(**hook(receiver, webhook_output_format="json"))
    event = json.loads(receiver.messages[-1][1])
    assert event["data"] == {"id": job_id, "job_id": job_id}
    assert set(event) == {"event_id", "event_type", "timestamp", "data"}


@pytest.mark.parametrize(
    ("data", "types"),
    [
        (PDF, ["pending", "running", "success"]),
        (b"%PARTIAL", ["pending", "running", "partial_success"]),
        (b"%FAIL PDF_IS_BROKEN", ["pending", "running", "error"]),
        (b"%STUCK", ["pending", "running"]),
    ],
)
async def test_every_step_of_a_job_is_told_in_its_order(
    customer: Customer, receiver: Receiver, data: bytes, types: list[str]
) -> None:
    await customer.parse(data, **hook(receiver))
    assert receiver.types() == types


async def test_a_cancellation_is_told(customer: Customer, receiver: Receiver) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create(**hook(receiver, webhook_events=["parse.cancelled"]))
    await customer.sdk.parsing.cancel(job_id)
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    assert receiver.types() == ["cancelled"]


async def test_a_webhook_that_is_refused_or_unanswered_is_tried_three_times(
    receiver: Receiver,
) -> None:
    pace = Pace(speed=1000, webhook_timeout=0.2)
    async with customer_of(LlamaCloud(pace=pace)) as customer:
        receiver.answers = [503, 0]
        await customer.parse(b"1", **hook(receiver, webhook_events=["parse.success"]))
        assert len({body for _, body in receiver.messages}) == 1
        receiver.answers = [500] * 9
        await customer.parse(b"2", **hook(receiver, webhook_events=["parse.success"]))
        deliveries = customer.cloud.webhooks.deliveries
        assert [delivery.outcome for delivery in deliveries] == [503, "timeout", 200, *[500] * 3]
        assert [delivery.attempt for delivery in deliveries] == [1, 2, 3] * 2
        assert len(receiver.messages) == 2 * ATTEMPTS


async def test_a_receiver_that_is_away_stops_nothing(customer: Customer) -> None:
    away = {"webhook_url": "http://127.0.0.1:1/hook", "webhook_events": ["parse.success"]}
    job_id = await customer.parse(webhook_configurations=[away])
    assert (await customer.sdk.parsing.get(job_id)).job.status == "COMPLETED"
    outcomes = [delivery.outcome for delivery in customer.cloud.webhooks.deliveries]
    assert outcomes == ["ClientConnectorError"] * ATTEMPTS


async def pushed(cloud: LlamaCloud, receiver: Receiver) -> bytes:
    form = aiohttp.FormData({"webhook_url": receiver.url})
    form.add_field("file", PDF, filename="report.pdf")
    headers = {"Authorization": f"Bearer {cloud.api_key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{cloud.url}/api/v1/parsing/upload", data=form) as response,
    ):
        assert response.status == 200
    await cloud.settle()
    ((headers_sent, body),) = receiver.messages
    assert "LC-Signature" not in headers_sent
    return body


async def test_a_v1_push_is_the_whole_result_as_the_real_source_reads_it(
    customer: Customer, receiver: Receiver
) -> None:
    body = await pushed(customer.cloud, receiver)
    content = llamaparse_push.parse(body, uuid4(), 1)
    assert content.recognised
    assert content.content.decode() == expected_markdown("report.pdf", PDF)
    assert set(json.loads(body)) == {"txt", "md", "json", "images"}


# What goes wrong with webhooks


def check_dropped(receiver: Receiver) -> None:
    assert receiver.messages == []


def check_duplicated(receiver: Receiver) -> None:
    assert receiver.types() == ["pending"] * 2 + ["running"] * 2 + ["success"] * 2
    assert len({body for _, body in receiver.messages}) == 3


def check_reordered(receiver: Receiver) -> None:
    assert receiver.types() == ["success", "running", "pending"]


def check_late(receiver: Receiver) -> None:
    assert sorted(receiver.types()) == ["pending", "running", "success"]
    happened = [notice.payload["event_timestamp"] for notice in receiver.notices()]
    late = Faults().late_seconds / FAST.speed
    assert all(arrived - at >= late for arrived, at in zip(receiver.arrived, happened, strict=True))


def check_format_flipped(receiver: Receiver) -> None:
    assert all(isinstance(json.loads(body), dict) for _, body in receiver.messages)
    assert receiver.types() == ["pending", "running", "success"]


def check_uppercase(receiver: Receiver) -> None:
    types = [json.loads(json.loads(body))["event_type"] for _, body in receiver.messages]
    assert types == ["PARSE_PENDING", "PARSE_RUNNING", "PARSE_SUCCESS"]
    assert receiver.types() == ["pending", "running", "success"]


def check_only_data_id(receiver: Receiver) -> None:
    data = [json.loads(json.loads(body))["data"] for _, body in receiver.messages]
    assert [set(part) for part in data] == [{"id"}] * 3
    assert len({notice.parse_job_id for notice in receiver.notices()}) == 1


def check_foreign(receiver: Receiver) -> None:
    notices = receiver.notices()
    assert len(notices) == 6
    ours = notices[1].parse_job_id
    assert [notice.parse_job_id == ours for notice in notices] == [False, True] * 3


def check_forged(receiver: Receiver) -> None:
    for number, (headers, body) in enumerate(receiver.messages):
        if number % 2 == 0:
            assert llamacloud.parse(body).code == "parse_ended"
            with pytest.raises(NotProven):
                verify_llamacloud(headers["LC-Signature"], body, [SECRET.encode()])
    receiver.messages = receiver.messages[1::2]
    assert receiver.types() == ["pending", "running", "success"]


WEBHOOK: dict[str, Callable[[Receiver], None]] = {
    "webhook_dropped": check_dropped,
    "webhook_duplicated": check_duplicated,
    "webhook_reordered": check_reordered,
    "webhook_late": check_late,
    "webhook_format_flipped": check_format_flipped,
    "webhook_uppercase": check_uppercase,
    "webhook_only_data_id": check_only_data_id,
    "webhook_foreign": check_foreign,
    "webhook_forged": check_forged,
}


@pytest.mark.parametrize("kind", WEBHOOK)
async def test_a_fault_of_webhooks_is_what_its_name_says(
    customer: Customer, receiver: Receiver, kind: str
) -> None:
    customer.cloud.faults = Faults(**{kind: 1})  # type: ignore[arg-type]
    await customer.parse(**hook(receiver))
    WEBHOOK[kind](receiver)
    assert customer.cloud.luck.times()[kind] >= 2
    assert set(customer.cloud.luck.times()) == {kind}


async def test_an_early_webhook_comes_before_the_result_can_be_read(
    customer: Customer, receiver: Receiver
) -> None:
    customer.cloud.faults = Faults(webhook_early=1, early_seconds=3_600_000)
    job_id = await customer.parse(**hook(receiver))
    assert receiver.types()[-1] == "success"
    assert (await customer.sdk.parsing.get(job_id)).job.status == "COMPLETED"
    with pytest.raises(llama_cloud.NotFoundError, match="Result not found"):
        await customer.sdk.parsing.get(job_id, expand=["markdown_full"])
    customer.cloud.jobs.jobs[job_id].readable_at = now()
    assert (await customer.sdk.parsing.get(job_id, expand=["markdown_full"])).markdown_full


async def test_a_repetition_may_have_an_id_and_bytes_of_its_own(
    customer: Customer, receiver: Receiver
) -> None:
    customer.cloud.faults = Faults(webhook_reissued=1, webhook_duplicated=1)
    receiver.answers = [500]
    await customer.parse(**hook(receiver, webhook_events=["parse.success"]))
    assert receiver.types() == ["success"] * 3
    assert len({notice.delivery_id for notice in receiver.notices()}) == 3


async def test_a_v1_push_may_have_the_shape_that_was_seen_in_the_field(
    customer: Customer, receiver: Receiver
) -> None:
    customer.cloud.faults = Faults(push_field_shape=1)
    body = await pushed(customer.cloud, receiver)
    assert set(json.loads(body)) == {"status", "result"}
    content = llamaparse_push.parse(body, uuid4(), 1)
    assert content.recognised
    assert content.content.decode() == expected_markdown("report.pdf", PDF)


def test_every_kind_of_fault_has_its_test() -> None:
    alone = {"webhook_early", "webhook_reissued", "push_field_shape"}
    assert {*BEFORE, *AFTER, *WEBHOOK, *alone} == set(KINDS)


# The seed


async def struck_by(
    seed: int, url: str, *, parallel: bool
) -> tuple[set[tuple[str, ...]], set[str]]:
    """What strikes a customer who asks the same things, one after the other or all at once."""
    faults = Faults(
        http_429=0.3, http_5xx=0.3, http_5xx_after_create=0.5, webhook_dropped=0.3, webhook_late=0.3
    )
    async with customer_of(LlamaCloud(seed=seed, pace=FAST, faults=faults)) as customer:

        async def submit(data: bytes) -> None:
            for _ in range(8):
                try:
                    await customer.create(data, webhook_configurations=[{"webhook_url": url}])
                except llama_cloud.APIStatusError:
                    continue
                return

        work = [submit(f"document {number}".encode()) for number in range(4)]
        if parallel:
            await asyncio.gather(*work)
        else:
            for one in work:
                await one
        await customer.cloud.settle()
        return set(customer.cloud.luck.struck), set(customer.cloud.jobs.jobs)


async def test_the_seed_decides_what_strikes_however_requests_interleave(
    receiver: Receiver,
) -> None:
    first = await struck_by(7, receiver.url, parallel=False)
    assert first == await struck_by(7, receiver.url, parallel=True)
    assert first != await struck_by(8, receiver.url, parallel=False)


@pytest.mark.parametrize(
    "values", [{"http_430": 1}, {"http_429": 1.5}, {"operations": ["delete"]}, {"hang": "often"}]
)
def test_a_fault_that_does_not_exist_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Faults.from_json(values)


# As a process


async def test_it_runs_as_a_process_and_can_be_looked_into(receiver: Receiver) -> None:
    tests = Path(__file__).parent.parent.parent
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fakes.llamacloud.server", "--port", "0", "--seed", "7"),
        *("--speed", "1000", "--faults", '{"webhook_duplicated": 1}'),
        env={**os.environ, "PYTHONPATH": str(tests)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.readline())
        async with (
            AsyncLlamaCloud(api_key=ready["api_key"], base_url=ready["url"], max_retries=0) as sdk,
            aiohttp.ClientSession(ready["url"]) as http,
        ):
            file = await sdk.files.create(file=("a.txt", b"text", "text/plain"), purpose="parse")
            job = await sdk.parsing.create(
                tier="fast",
                version="latest",
                file_id=file.id,
                user_metadata={"job": "j1"},
                webhook_configurations=[
                    {"webhook_url": receiver.url, "webhook_signing_secret": SECRET}
                ],
            )
            while True:
                async with http.get("/_state") as response:
                    state = await response.json()
                if not state["busy"]:
                    break
                await asyncio.sleep(0.01)
            assert [known["id"] for known in state["jobs"]] == [job.id]
            assert state["jobs"][0]["user_metadata"] == {"job": "j1"}
            assert [known["id"] for known in state["files"]] == [file.id]
            assert state["billed"] == {"credits": 1, "jobs": {job.id: 1}}
            assert state["struck"] == {"webhook_duplicated": 3}
            assert len(receiver.notices()) == 6

            async with http.put("/_faults", json={"http_429": 1}) as response:
                assert response.status == 200
            with pytest.raises(llama_cloud.RateLimitError):
                await sdk.parsing.get(job.id)
            async with http.put("/_faults", json={"http_430": 1}) as response:
                assert response.status == 400
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
