"""The local parser's envelope fits the receiver, and is sent until there is a lasting answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import standardwebhooks
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from hookline.postgres.deliveries import Content
from hookline.providers.local.delivery import Undelivered, deliver
from hookline.providers.local.parser import Parsed
from hookline.providers.local.signed_envelope import (
    SignedEnvelope,
    envelope_of,
    webhook_of,
)
from hookline.settings import ConfigurationError, Settings
from hookline.sources import llamaparse
from hookline.sources.llamaparse import sign
from hookline.sources.signatures import verify_hex
from hookline.standalone.embedded.address import free_port
from support.raw_server import endless, listening

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_790_000_000.0
WEBHOOK = SignedEnvelope(b"{}", "msg_1", "hex", SECRET)

Serve = Callable[..., Awaitable[TestServer]]


class Sleeps(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def receiver(aiohttp_server: Serve) -> Callable[..., Awaitable[str]]:
    """A receiver that gives these answers in turn, and then always the last one."""

    async def start(*answers: tuple[int, dict[str, str]]) -> str:
        left = list(answers)

        async def answer(request: web.Request) -> web.Response:
            status, headers = left.pop(0) if len(left) > 1 else left[0]
            return web.json_response({"outcome": "applied"}, status=status, headers=headers)

        application = web.Application()
        application.router.add_post("/", answer)
        return str((await aiohttp_server(application)).make_url("/"))

    return start


async def send(url: str, sleep: Sleeps, **options: int) -> tuple[int, int]:
    async with aiohttp.ClientSession() as session:
        answer = await deliver(session, url, WEBHOOK, sleep=sleep, clock=lambda: NOW, **options)
    return answer.status, answer.tries


async def test_an_envelope_is_sent_again_when_retry_after_says(
    receiver: Callable[..., Awaitable[str]],
) -> None:
    url = await receiver((503, {"Retry-After": "7"}), (503, {}), (200, {}))
    sleeps = Sleeps()
    assert await send(url, sleeps) == (200, 3)
    assert sleeps == [7.0, 1.0]


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("Mon, 21 Sep 2026 14:13:25 GMT", 5.0),
        ("86400", 30.0),
        ("0", 0.5),
        ("Mon, 21 Sep 2020 14:13:25 GMT", 0.0),
        ("soon", 0.5),
        ("²", 0.5),
    ],
)
async def test_the_pause_follows_retry_after_within_bounds(
    receiver: Callable[..., Awaitable[str]], retry_after: str, pause: float
) -> None:
    url = await receiver((429, {"Retry-After": retry_after}), (200, {}))
    sleeps = Sleeps()
    assert await send(url, sleeps) == (200, 2)
    assert sleeps == [pause]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_envelope_is_sent_a_limited_number_of_times(
    receiver: Callable[..., Awaitable[str]], status: int
) -> None:
    sleeps = Sleeps()
    assert await send(await receiver((status, {})), sleeps, tries=4) == (status, 4)
    assert sleeps == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("status", [200, 400, 401, 404, 409, 413, 422, 302])
async def test_an_envelope_with_a_lasting_answer_is_sent_once(
    receiver: Callable[..., Awaitable[str]], status: int
) -> None:
    assert await send(await receiver((status, {"Location": "/"})), Sleeps()) == (status, 1)


async def test_an_unreachable_receiver_is_tried_again_and_named_in_the_error() -> None:
    url, sleeps = f"http://127.0.0.1:{free_port()}/", Sleeps()
    with pytest.raises(Undelivered, match=f"{url} gave no answer in 3 tries"):
        await send(url, sleeps, tries=3)
    assert sleeps == [0.5, 1.0]


def test_the_source_reads_the_envelope_of_the_local_parser() -> None:
    job_id, document_id = uuid4(), uuid4()
    markdown = "# Ärger \N{PARTY POPPER}\n"
    body = envelope_of(
        Parsed(markdown, "liteparse", "2.18.0"),
        job_id=job_id,
        document_id=document_id,
        parse_job_id="local-1",
        correlation_id="trace-1",
    )
    read = llamaparse.parse(body)
    assert isinstance(read, Content)
    assert (read.job_id, read.document_id) == (job_id, document_id)
    assert read.content == markdown.encode()
    assert read.content_sha256 == hashlib.sha256(read.content).hexdigest()
    assert read.content_bytes == len(read.content)
    assert (read.parse_job_id, read.correlation_id) == ("local-1", "trace-1")
    assert read.attempt is None
    assert read.details["parser_name"] == "liteparse"
    assert read.details["parser_version"] == "2.18.0"


def test_the_same_text_of_an_attempt_gives_the_same_envelope() -> None:
    @dataclass(frozen=True)
    class Attempt:
        job_id: UUID
        document_id: UUID
        attempt: int
        correlation_id: str

    given: dict[str, Any] = {
        "llamaparse_secrets": (SecretStr(SECRET), SecretStr("the-one-before-it"))
    }
    settings, without = Settings(**given), Settings(**{**given, "llamaparse_secrets": ()})
    job, result = Attempt(uuid4(), uuid4(), 1, "trace-1"), Parsed("# A\n", "liteparse", "2.18.0")
    first = webhook_of(settings, job, result)
    assert webhook_of(settings, replace(job), replace(result)) == first
    assert first.secret == SECRET
    assert json.loads(first.body)["parse_job_id"] == f"local-{job.job_id}-1"
    assert webhook_of(settings, replace(job, attempt=2), result).body != first.body
    assert webhook_of(settings, job, replace(result, markdown="# B\n")).id != first.id
    # So the text of an attempt that is over is stale, whichever parser has the job now.
    for attempt in (1, 12):
        read = llamaparse.parse(webhook_of(settings, replace(job, attempt=attempt), result).body)
        assert isinstance(read, Content)
        assert read.attempt == attempt
    with pytest.raises(ConfigurationError, match="HOOKLINE_LLAMAPARSE_SECRETS is not set"):
        webhook_of(without, job, result)


def test_the_repr_of_an_envelope_shows_no_secret_and_no_text() -> None:
    shown = repr(SignedEnvelope(b"the document's text", "msg_1", "hex", SECRET))
    assert "msg_1" in shown
    assert SECRET not in shown
    assert "text" not in shown


def test_the_receiver_accepts_a_hex_signature() -> None:
    headers = sign(b"body", SECRET, "hex", message_id="msg_1", now=NOW)
    verify_hex(headers["X-Webhook-Signature"], b"body", [SECRET.encode()])


def test_standard_webhooks_own_library_makes_the_same_signature() -> None:
    from datetime import UTC, datetime

    headers = sign(b"body", SECRET, "standard", message_id="msg_1", now=NOW)
    expected = standardwebhooks.Webhook(SECRET).sign(
        "msg_1", datetime.fromtimestamp(NOW, UTC), "body"
    )
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW)),
        "webhook-signature": expected,
    }


def test_each_try_of_a_message_has_its_own_standard_signature() -> None:
    webhook = SignedEnvelope(b"body", "msg_1", "standard", SECRET)
    first, later = webhook.headers(NOW), webhook.headers(NOW + 60)
    assert first["webhook-id"] == later["webhook-id"]
    assert first["webhook-signature"] != later["webhook-signature"]


async def test_only_the_beginning_of_an_endless_answer_is_read() -> None:
    async with aiohttp.ClientSession() as session, listening(endless) as url:
        answer = await deliver(session, url, WEBHOOK, tries=1)
    assert (answer.status, answer.outcome) == (200, None)
