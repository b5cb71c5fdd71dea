"""What a parser sends to the receiver: an envelope with the result, signed, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol
from uuid import UUID

import aiohttp

from hookline.providers.local.parser import Parsed
from hookline.setting_values import standard_key
from hookline.settings import Settings
from hookline.sources import routes

__all__ = [
    "Answer",
    "Parsable",
    "SignedEnvelope",
    "Undelivered",
    "deliver",
    "envelope_of",
    "sign",
    "webhook_of",
    "webhook_url",
]

_TRIES = 6
# Between tries, doubled; also the most that a Retry-After is followed, in seconds.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# One answer: the receiver reads, stores and commits under deadlines of its own.
_TIMEOUT = aiohttp.ClientTimeout(total=90, sock_connect=5)

# 500 is a storage that failed, 502 and 504 are a proxy's.
_RETRIED = frozenset({429, 500, 502, 503, 504})

Scheme = Literal["hex", "standard"]


class Undelivered(Exception):
    """No answer came; `str()` of it is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said to the last try. `body` is its JSON, empty where there was none."""

    status: int
    body: Mapping[str, Any]
    tries: int

    @property
    def outcome(self) -> str | None:
        """The word of upload_pipeline.outcome, if it was accepted."""
        return self.body.get("outcome") if self.status == 200 else None

    @property
    def detail(self) -> str:
        return str(self.body.get("detail") or self.body.get("message") or "no reason given")


@dataclass(frozen=True, slots=True)
class SignedEnvelope:
    """An envelope, and what is needed to sign it. `id` is the same for every try."""

    body: bytes = field(repr=False)
    id: str
    scheme: Scheme
    secret: str = field(repr=False)

    def headers(self, now: float) -> dict[str, str]:
        """The headers of a try at `now`, in Unix seconds."""
        signed = sign(self.body, self.secret, self.scheme, message_id=self.id, now=now)
        return {"Content-Type": "application/json", "User-Agent": "hookline-local/1", **signed}


class Parsable(Protocol):
    """A job, as far as an envelope names it."""

    @property
    def job_id(self) -> UUID: ...
    @property
    def document_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def correlation_id(self) -> str: ...


def webhook_url(receiver: str) -> str:
    """Where the receiver at this address takes envelopes."""
    return f"{receiver}{routes.LLAMAPARSE}"


def webhook_of(settings: Settings, job: Parsable, result: Parsed) -> SignedEnvelope:
    """The signed webhook with the text of an attempt; the same text makes the same webhook.

    It is signed with the first secret, as the newest. Raises ConfigurationError without one.
    """
    secret = settings.require_llamaparse_secret()
    body = envelope_of(
        result,
        job_id=job.job_id,
        document_id=job.document_id,
        parse_job_id=f"local-{job.job_id}-{job.attempt}",
        correlation_id=job.correlation_id,
    )
    message_id = f"msg_{hashlib.sha256(body).hexdigest()}"
    return SignedEnvelope(body, message_id, settings.llamaparse_scheme, secret)


def envelope_of(
    result: Parsed,
    *,
    job_id: UUID,
    document_id: UUID,
    parse_job_id: str,
    correlation_id: str | None = None,
) -> bytes:
    """The body of POST /webhooks/llamaparse. Specification: `sources/envelope.schema.json`."""
    content = result.markdown.encode()
    markdown = {
        "type": "markdown",
        "content": result.markdown,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    envelope: dict[str, Any] = {
        "job_id": str(job_id),
        "document_id": str(document_id),
        "parse_job_id": parse_job_id,
        "status": "parsed",
        "artifacts": [markdown],
        "meta": {"parser_name": result.parser_name, "parser_version": result.parser_version},
    }
    if correlation_id is not None:
        envelope["correlation_id"] = correlation_id
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def sign(
    body: bytes, secret: str, scheme: Scheme, *, message_id: str, now: float
) -> dict[str, str]:
    """The headers that prove the body.

    `hex`: HMAC-SHA256 keyed with the secret's text. `standard`: Standard Webhooks v1, "Signature
    scheme". Raises ValueError for a secret that the scheme does not know.
    """
    if scheme == "hex":
        return {"X-Webhook-Signature": hmac.digest(secret.encode(), body, "sha256").hex()}
    timestamp = str(int(now))
    signed = f"{message_id}.{timestamp}.".encode("ascii") + body
    mac = base64.b64encode(hmac.digest(standard_key(secret), signed, "sha256")).decode("ascii")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{mac}",
    }


async def deliver(
    session: aiohttp.ClientSession,
    url: str,
    webhook: SignedEnvelope,
    *,
    tries: int = _TRIES,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.time,
) -> Answer:
    """POST a webhook until it is answered with anything that another try would not change.

    429 and 5xx are tried again, up to `tries` in all: after Retry-After where there is one, else
    after growing pauses. Returns the last answer; raises Undelivered if there was none at all.
    """
    answer, trouble = None, ""
    for number in range(1, tries + 1):
        asked: str | None = None
        try:
            async with session.post(
                url,
                data=webhook.body,
                headers=webhook.headers(clock()),
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                answer = Answer(response.status, _json(await response.read()), number)
                asked = response.headers.get("Retry-After")
            if answer.status not in _RETRIED:
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            answer, trouble = None, str(error) or type(error).__name__
        if number < tries:
            await sleep(_pause(number, asked, clock()))
    if answer is None:
        raise Undelivered(f"{url} gave no answer in {tries} tries: {trouble}.")
    return answer


def _pause(number: int, asked: str | None, now: float) -> float:
    pause = _FIRST_PAUSE * 2.0 ** (number - 1)
    if asked is not None:
        pause = _retry_after(asked, now) or pause
    return min(max(pause, 0.0), _LONGEST_PAUSE)


def _retry_after(value: str, now: float) -> float | None:
    """Seconds from now; a number or a date (RFC 9110, section 10.2.3)."""
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        when: datetime = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
