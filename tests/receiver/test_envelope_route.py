"""POST /webhooks/llamaparse: a signed envelope changes its job, or is refused with the reason."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from support.sender import ENVELOPE_SECRET, Job, Sender, Start, envelope_of, sign

ROUTE = "/webhooks/llamaparse"


async def test_a_parsed_envelope_makes_the_job_parsed_with_its_file_and_its_event(
    sender: Sender,
) -> None:
    job = sender.new_job()
    status, answer = await sender.send_envelope(
        envelope_of(job, content="# Größe\n", correlation_id="corr-2")
    )

    assert status == 200
    assert answer["success"] is True
    assert answer["outcome"] == "applied"
    assert answer["job_id"] == str(job.job_id)
    assert answer["document_id"] == str(job.document_id)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(answer["processed_at"])).seconds) < 60

    data = "# Größe\n".encode()
    row = sender.job(job)
    assert row["status"] == "parsed"
    assert row["parsed_path"] == f"storage://parsed/{job.document_id}/{job.job_id}.md"
    assert row["parsed_sha256"] == hashlib.sha256(data).hexdigest()
    assert row["parsed_bytes"] == len(data)
    assert sender.file_of(row["parsed_path"]).read_bytes() == data

    event = sender.events(job)[-1]
    assert (event["type"], event["severity"], event["code"]) == (
        "stage_done",
        "info",
        "parse_completed",
    )
    assert event["correlation_id"] == "corr-2"
    assert event["payload"] == {
        "parsed_path": row["parsed_path"],
        "content_sha256": row["parsed_sha256"],
        "content_length": len("# Größe\n"),
        "bytes": len(data),
        "parser_name": "llamaparse",
        "parser_version": "1.2",
        "parse_job_id": f"parse-{job.job_id}",
    }


async def test_a_failed_envelope_makes_the_job_failed_parse_and_says_why(sender: Sender) -> None:
    job = sender.new_job()
    envelope = envelope_of(job, "failed")
    envelope["meta"]["error"] = "PDF_IS_BROKEN"
    status, answer = await sender.send_envelope(envelope)

    assert (status, answer["outcome"]) == (200, "applied")
    event = sender.events(job)[-1]
    assert (event["type"], event["severity"], event["code"]) == (
        "stage_error",
        "error",
        "parse_failed",
    )
    assert event["correlation_id"] == "corr-1"
    assert event["payload"] == {
        "error": "PDF_IS_BROKEN",
        "parse_job_id": f"parse-{job.job_id}",
        "parser_name": "llamaparse",
        "parser_version": "1.2",
    }
    row = sender.job(job)
    assert row["status"] == "failed_parse"
    assert row["last_error"]["error"] == "PDF_IS_BROKEN"


@pytest.mark.parametrize("unstorable", ["\u0000", "\ud83d"])
async def test_a_failure_is_taken_whatever_its_words_hold(sender: Sender, unstorable: str) -> None:
    job = sender.new_job()
    meta = {"error": f"bad {unstorable} page", "parser_name": f"p{unstorable}"}
    status, _ = await sender.send_envelope(envelope_of(job, "failed", meta=meta))
    assert status == 200
    row = sender.job(job)
    assert (row["status"], row["last_error"]["error"]) == ("failed_parse", "bad \ufffd page")


async def test_a_processing_envelope_queues_the_job_once(sender: Sender) -> None:
    job = sender.new_job()
    status, answer = await sender.send_envelope(envelope_of(job, "processing"))
    assert (status, answer["outcome"]) == (200, "applied")
    assert sender.job(job)["status"] == "parse_queued"

    status, answer = await sender.send_envelope(envelope_of(job, "processing", correlation_id="x"))
    assert (status, answer["outcome"]) == (200, "stale")
    assert len(sender.events(job)) == 2


async def test_a_replay_is_a_duplicate_and_changes_nothing(sender: Sender) -> None:
    job = sender.new_job()
    first = await sender.send_envelope(envelope_of(job))
    before = sender.job(job)
    second = await sender.send_envelope(envelope_of(job))

    assert (first[1]["outcome"], second[1]["outcome"]) == ("applied", "duplicate")
    assert sender.job(job) == before
    assert sender.deliveries()[0]["times_seen"] == 2


async def test_other_content_for_a_parsed_job_is_stale_and_its_object_stays(sender: Sender) -> None:
    job = sender.new_job()
    await sender.send_envelope(envelope_of(job, content="first"))
    status, answer = await sender.send_envelope(envelope_of(job, content="second"))

    assert (status, answer["outcome"]) == (200, "stale")
    assert sender.file_of(sender.job(job)["parsed_path"]).read_bytes() == b"first"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X_Webhook_Signature": ""},
        {"X_Webhook_Signature": "sha256=" + "0" * 64},
        {"X_Webhook_Signature": "0" * 64},
        {"X_Webhook_Signature": "ü" * 64},
    ],
)
async def test_an_envelope_that_is_not_proven_is_401(
    sender: Sender, headers: dict[str, str]
) -> None:
    job = sender.new_job()
    body = json.dumps(envelope_of(job)).encode()
    status, answer = await sender.post(ROUTE, body, **headers)

    assert status == 401
    assert answer["status"] == 401
    assert answer["detail"]
    assert sender.deliveries() == []
    assert sender.job(job)["status"] == "uploaded"


async def test_every_active_secret_is_accepted_and_a_retired_one_is_not(start: Start) -> None:
    async with start(llamaparse_secrets=("the-new-secret-01234", ENVELOPE_SECRET)) as sender:
        for secret, expected in (
            ("the-new-secret-01234", 200),
            (ENVELOPE_SECRET, 200),
            ("a-retired-secret-0123", 401),
        ):
            envelope = envelope_of(sender.new_job())
            assert (await sender.send_envelope(envelope, secret=secret))[0] == expected


async def test_a_source_without_a_secret_answers_401_to_everything(start: Start) -> None:
    async with start(llamaparse_secrets=()) as sender:
        body = json.dumps(envelope_of(sender.new_job())).encode()
        for headers in ({}, {"X_Webhook_Signature": sign(body, "")}):
            assert (await sender.post(ROUTE, body, **headers))[0] == 401


async def test_standard_webhooks_are_taken_from_the_official_sender(start: Start) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with start(llamaparse_scheme="standard", llamaparse_secrets=(secret,)) as sender:
        job = sender.new_job()
        body = json.dumps(envelope_of(job))
        now = datetime.now(UTC)
        signature = Webhook(secret).sign("msg_1", now, body)
        headers = {
            "webhook_id": "msg_1",
            "webhook_timestamp": str(int(now.timestamp())),
            "webhook_signature": signature,
        }
        status, answer = await sender.post(ROUTE, body.encode(), **headers)
        assert (status, answer["outcome"]) == (200, "applied")
        assert sender.deliveries()[0]["delivery_id"] == "msg_1"

        other = json.dumps(envelope_of(job, content="other"))
        headers["webhook_signature"] = Webhook(secret).sign("msg_1", now, other)
        status, answer = await sender.post(ROUTE, other.encode(), **headers)
        assert status == 409, "an applied delivery's id with other content"

        status, _ = await sender.send_envelope(envelope_of(job))
        assert status == 401, "the sender does not choose the scheme"


async def test_a_document_of_another_job_is_409(sender: Sender) -> None:
    job, other = sender.new_job(), sender.new_job()
    status, answer = await sender.send_envelope(envelope_of(Job(job.job_id, other.document_id)))
    assert status == 409
    assert str(other.document_id) in answer["detail"]
    assert sender.job(job)["status"] == "uploaded"


async def test_an_unknown_job_is_404(sender: Sender) -> None:
    status, answer = await sender.send_envelope(envelope_of(Job(uuid4(), uuid4())))
    assert status == 404
    assert answer["title"] == "Not Found"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"artifacts": []}, 422),
        ({"artifacts": [{"type": "text", "content": "x"}]}, 422),
        ({"status": "done"}, 400),
        ({"job_id": "not-a-uuid"}, 400),
        ({"correlation_id": "x" * 201}, 400),
        ({"correlation_id": "line\nbreak"}, 400),
        ({"parse_job_id": "nul\u0000"}, 400),
        ({"parse_job_id": "\ud800"}, 400),
    ],
)
async def test_an_unusable_envelope_is_refused_with_the_reason(
    sender: Sender, change: dict[str, Any], expected: int
) -> None:
    job = sender.new_job()
    status, answer = await sender.send_envelope(envelope_of(job, **change))
    assert status == expected, answer
    assert sender.job(job)["status"] == "uploaded"
    assert len(sender.events(job)) == 1


@pytest.mark.parametrize("claim", [{"sha256": "0" * 64}, {"bytes": 1}])
async def test_content_with_another_hash_or_size_than_announced_is_422(
    sender: Sender, claim: dict[str, object]
) -> None:
    job = sender.new_job()
    envelope = envelope_of(job)
    envelope["artifacts"][0].update(claim)
    status, _ = await sender.send_envelope(envelope)
    assert status == 422
    assert sender.job(job)["status"] == "uploaded"


async def test_empty_content_is_422(sender: Sender) -> None:
    status, answer = await sender.send_envelope(envelope_of(sender.new_job(), content=""))
    assert status == 422
    assert "Received 0 bytes" not in answer["title"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * 200_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "broken", "array", "string", "not UTF-8", "NaN", "nested", "huge number"],
)
async def test_a_signed_body_that_is_no_envelope_is_400(sender: Sender, body: bytes) -> None:
    assert (await sender.send_envelope(body))[0] == 400


async def test_content_may_hold_what_text_columns_cannot(sender: Sender) -> None:
    job = sender.new_job()
    content = "a\u0000b \ud800 c"
    status, _ = await sender.send_envelope(envelope_of(job, content=content))
    assert status == 200
    data = sender.file_of(sender.job(job)["parsed_path"]).read_bytes()
    assert data == content.encode("utf-8", "surrogatepass")
