"""No log line or answer holds a secret, token or text; the receiver's role reads no table."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import errors

from hookline.sources.llamaparse_push import mint_token
from hookline.sources.routes import LLAMAPARSE
from support.receiver_process import Spawn
from support.sender import CLOUD_SECRET, ENVELOPE_SECRET, PUSH_SECRET, Sender, envelope_of, event_of

TEXT = "The patient's name is Ada"


async def test_log_lines_are_json_with_ids_and_without_secrets(
    spawn: Spawn,
) -> None:
    async with spawn() as (receiver, sender):
        job, other = sender.new_job(), sender.new_job()
        token = mint_token(PUSH_SECRET.encode(), job.job_id, 1)
        answers = [
            await sender.send_envelope(envelope_of(job, content=TEXT)),
            await sender.push(job, {"md": TEXT + "!"}),
            await sender.push(job, {"unknown": TEXT}),
            await sender.push(other, {"md": ""}),
            await sender.post(f"/webhooks/llamaparse/{other.job_id}/{token}", b"{}"),
            await sender.send_envelope(envelope_of(job, content=TEXT), secret="a-wrong-secret"),
            await sender.send_envelope(json.dumps({"job_id": TEXT}).encode()),
            await sender.send_event(event_of("p-1")),
        ]
        await receiver.stop()
    printed = receiver.printed
    webhooks = receiver.lines("webhook")

    assert [line["http"] for line in webhooks] == [status for status, _ in answers]
    assert {line["route"] for line in webhooks} >= {"/webhooks/llamaparse/{job_id}/{token}"}
    first = webhooks[0]
    assert first["source"] == "llamaparse"
    assert first["outcome"] == "applied"
    assert first["job_id"] == str(job.job_id)
    assert first["ms"] > 0
    for secret in (
        TEXT,
        token,
        token.partition(".")[2],
        ENVELOPE_SECRET,
        CLOUD_SECRET,
        PUSH_SECRET,
    ):
        assert secret not in printed
        assert secret not in json.dumps(answers)


async def test_only_the_log_says_why_a_sender_is_not_proven(spawn: Spawn) -> None:
    async with spawn() as (receiver, sender):
        body = json.dumps(envelope_of(sender.new_job())).encode()
        answers = [
            await sender.post(LLAMAPARSE, body),
            await sender.post(LLAMAPARSE, body, X_Webhook_Signature="00"),
            await sender.send_envelope(body, secret="a-wrong-secret"),
        ]
        await receiver.stop()
    assert [status for status, _ in answers] == [401, 401, 401]
    assert len({json.dumps(answer) for _, answer in answers}) == 1
    assert [line["reason"] for line in receiver.lines("webhook")] == [
        "The request has no signature header.",
        "The signature header is malformed.",
        "No configured secret matches the signature.",
    ]


async def test_the_admin_side_counts_deliveries_and_is_not_on_the_public_side(
    sender: Sender,
) -> None:
    await sender.send_event(event_of("p-1"))
    async with sender.http.get(sender.admin_url + "/metrics") as response:
        text = await response.text()
    assert 'hookline_webhooks_total{http="200",outcome="parked",source="llamacloud"} 1.0' in text
    async with sender.http.get(sender.url + "/metrics") as response:
        assert response.status == 404


def test_the_endpoints_role_can_call_functions_but_not_read_tables(login: object) -> None:
    with psycopg.connect(login("ingest"), autocommit=True) as connection:  # type: ignore[operator]
        for relation in ("upload_jobs", "events", "contents", "webhook_deliveries", "job_overview"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(f"select from upload_pipeline.{relation}".encode())
