"""POST /webhooks/llamacloud: a thin event moves its job, once."""

from __future__ import annotations

import json

import pytest

from support.sender import Sender, event_of


async def test_a_success_makes_the_job_parse_ready(sender: Sender) -> None:
    job = sender.submitted("p-1")
    status, answer = await sender.send_event(event_of("p-1"))

    assert (status, answer["outcome"], answer["job_id"]) == (200, "applied", str(job.job_id))
    assert sender.job(job)["status"] == "parse_ready"
    assert sender.events(job)[-1]["code"] == "parse_ready"


@pytest.mark.parametrize(
    "encode",
    [
        lambda event: event,
        lambda event: json.dumps(event),
        lambda event: {**event, "data": {"id": event["data"]["id"]}},
        lambda event: {**event, "event_type": "PARSE_SUCCESS"},
    ],
    ids=["object", "string in JSON", "only data.id", "PARSE_SUCCESS"],
)
async def test_every_spelling_of_an_event_is_understood(sender: Sender, encode: object) -> None:
    job = sender.submitted("p-1")
    status, answer = await sender.send_event(encode(event_of("p-1")))  # type: ignore[operator]
    assert (status, answer["outcome"]) == (200, "applied")
    assert sender.job(job)["status"] == "parse_ready"


async def test_a_reported_failure_does_not_fail_the_job_before_the_provider_is_asked(
    sender: Sender,
) -> None:
    job = sender.submitted("p-1")
    status, answer = await sender.send_event(event_of("p-1", "parse.error"))
    assert (status, answer["outcome"]) == (200, "applied")
    assert sender.job(job)["status"] == "parse_ready"
    assert sender.events(job)[-1]["code"] == "parse_ended"
    # Content that arrives after the report is still accepted.
    assert (await sender.push(job, {"md": "# done"}))[1]["outcome"] == "applied"


async def test_a_cancellation_at_the_provider_fails_the_job(sender: Sender) -> None:
    job = sender.submitted("p-1")
    await sender.send_event(event_of("p-1", "parse.cancelled"))
    assert sender.job(job)["status"] == "failed_parse"
    assert sender.job(job)["last_error"]["code"] == "parse_cancelled"


async def test_an_event_of_another_application_is_ignored(sender: Sender) -> None:
    status, answer = await sender.send_event(event_of("x-1", "extract.success"))
    assert (status, answer["outcome"]) == (200, "ignored")


async def test_an_event_before_its_submission_is_recorded_is_parked_then_applied(
    sender: Sender,
) -> None:
    event = event_of("p-1")
    status, answer = await sender.send_event(event)
    assert (status, answer["outcome"], answer["job_id"]) == (200, "parked", None)

    job = sender.submitted("p-1")
    assert sender.job(job)["status"] == "parse_ready"
    assert (await sender.send_event(event))[1]["outcome"] == "duplicate"


async def test_a_reserialised_retry_is_a_duplicate_and_a_reused_id_is_409(sender: Sender) -> None:
    sender.submitted("p-1")
    sender.submitted("p-2")
    event = event_of("p-1", event_id="e-1")
    await sender.send_event(event)

    status, answer = await sender.send_event(json.dumps(event, indent=2).encode())
    assert (status, answer["outcome"]) == (200, "duplicate")
    assert (await sender.send_event(event_of("p-2", event_id="e-1")))[0] == 409


async def test_a_failure_after_the_success_is_stale(sender: Sender) -> None:
    job = sender.submitted("p-1")
    envelope = await sender.push(job, {"md": "# done"})
    assert envelope[0] == 200
    status, answer = await sender.send_event(event_of("p-1", "parse.error"))
    assert (status, answer["outcome"]) == (200, "stale")
    assert sender.job(job)["status"] == "parsed"


async def test_the_signature_is_over_the_raw_bytes(sender: Sender) -> None:
    sender.submitted("p-1")
    body = json.dumps(event_of("p-1")).encode()
    assert (await sender.post("/webhooks/llamacloud", body, LC_Signature="sha256=00"))[0] == 401
    assert (await sender.post("/webhooks/llamacloud", body))[0] == 401
    assert (await sender.send_event(body + b" "))[0] == 200
