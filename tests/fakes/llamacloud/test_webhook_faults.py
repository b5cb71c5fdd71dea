"""What our receiver sees when the imitation's webhooks fail, and that each fault has a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

import llama_cloud
import pytest

from fakes.llamacloud.customer import FAST, PDF, Customer, receive_v1_push
from fakes.llamacloud.documents import expected_markdown
from fakes.llamacloud.faults import KINDS, Faults
from fakes.llamacloud.jobs import now
from fakes.llamacloud.receiver import SECRET, Receiver, hook
from fakes.llamacloud.test_api_faults import AFTER, BEFORE
from hookline.sources import llamacloud, llamaparse_push
from hookline.sources.refusals import NotProven
from hookline.sources.signatures import verify_llamacloud


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
async def test_webhook_fault_does_what_its_name_says(
    customer: Customer, receiver: Receiver, kind: str
) -> None:
    customer.cloud.faults = Faults(**{kind: 1})  # type: ignore[arg-type]
    await customer.parse(**hook(receiver))
    WEBHOOK[kind](receiver)
    assert customer.cloud.draws.times()[kind] >= 2
    assert set(customer.cloud.draws.times()) == {kind}


async def test_early_webhook_comes_before_the_result_can_be_read(
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


async def test_repeated_webhook_may_have_another_id_and_other_bytes(
    customer: Customer, receiver: Receiver
) -> None:
    customer.cloud.faults = Faults(webhook_reissued=1, webhook_duplicated=1)
    receiver.answers = [500]
    await customer.parse(**hook(receiver, webhook_events=["parse.success"]))
    assert receiver.types() == ["success"] * 3
    assert len({notice.delivery_id for notice in receiver.notices()}) == 3


async def test_v1_push_may_have_the_shape_that_users_reported(
    customer: Customer, receiver: Receiver
) -> None:
    customer.cloud.faults = Faults(push_field_shape=1)
    body = await receive_v1_push(customer.cloud, receiver)
    assert set(json.loads(body)) == {"status", "result"}
    content = llamaparse_push.parse(body, uuid4(), 1)
    assert content.recognised
    assert content.content.decode() == expected_markdown("report.pdf", PDF)


def test_every_kind_of_fault_is_tested() -> None:
    alone = {"webhook_early", "webhook_reissued", "push_field_shape"}
    assert {*BEFORE, *AFTER, *WEBHOOK, *alone} == set(KINDS)
