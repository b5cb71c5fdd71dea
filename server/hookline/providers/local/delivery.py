"""Posts a signed envelope to the receiver, and tries again as the answer asks for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from hookline.providers.local.signed_envelope import SignedEnvelope
from hookline.sources import routes

__all__ = ["Answer", "Undelivered", "deliver", "webhook_url"]

_TRIES = 6
# Between tries, doubled; also the most that a Retry-After is followed, in seconds.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
# One answer: the receiver reads, stores and commits under deadlines of its own.
_TIMEOUT = aiohttp.ClientTimeout(total=90, sock_connect=5)

# 500 is a storage that failed, 502 and 504 are a proxy's.
_RETRIED = frozenset({429, 500, 502, 503, 504})


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


def webhook_url(receiver: str) -> str:
    """Where the receiver at this address takes envelopes."""
    return f"{receiver}{routes.LLAMAPARSE}"


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
