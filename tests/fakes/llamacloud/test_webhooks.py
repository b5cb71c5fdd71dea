"""The imitation's webhooks, as the real source verifies and reads them."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from fakes.llamacloud.customer import PDF, Customer, customer_of, receive_v1_push
from fakes.llamacloud.documents import expected_markdown
from fakes.llamacloud.jobs import Pace
from fakes.llamacloud.receiver import Receiver, hook
from fakes.llamacloud.server import LlamaCloud
from fakes.llamacloud.webhooks import ATTEMPTS, USER_AGENT
from hookline.sources import llamaparse_push


async def test_webhook_is_verified_and_read_by_the_real_source(
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


async def test_webhook_body_is_an_object_when_asked_for(
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
async def test_webhooks_of_a_job_are_sent_in_order(
    customer: Customer, receiver: Receiver, data: bytes, types: list[str]
) -> None:
    await customer.parse(data, **hook(receiver))
    assert receiver.types() == types


async def test_cancellation_sends_a_webhook(customer: Customer, receiver: Receiver) -> None:
    customer.cloud.jobs.hold()
    job_id = await customer.create(**hook(receiver, webhook_events=["parse.cancelled"]))
    await customer.sdk.parsing.cancel(job_id)
    customer.cloud.jobs.release()
    await customer.cloud.settle()
    assert receiver.types() == ["cancelled"]


async def test_refused_or_unanswered_webhook_is_tried_three_times(
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


async def test_job_completes_while_the_receiver_is_down(customer: Customer) -> None:
    away = {"webhook_url": "http://127.0.0.1:1/hook", "webhook_events": ["parse.success"]}
    job_id = await customer.parse(webhook_configurations=[away])
    assert (await customer.sdk.parsing.get(job_id)).job.status == "COMPLETED"
    outcomes = [delivery.outcome for delivery in customer.cloud.webhooks.deliveries]
    assert outcomes == ["ClientConnectorError"] * ATTEMPTS


async def test_v1_push_is_read_whole_by_the_real_source(
    customer: Customer, receiver: Receiver
) -> None:
    body = await receive_v1_push(customer.cloud, receiver)
    content = llamaparse_push.parse(body, uuid4(), 1)
    assert content.recognised
    assert content.content.decode() == expected_markdown("report.pdf", PDF)
    assert set(json.loads(body)) == {"txt", "md", "json", "images"}
