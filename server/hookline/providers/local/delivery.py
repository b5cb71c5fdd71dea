"""Sends a signed envelope to the receiver, again and again until a lasting answer comes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from hookline.process.retry_after import seconds_until
from hookline.process.short_answers import read_at_most
from hookline.providers.local.signed_envelope import SignedEnvelope
from hookline.sources import routes
from hookline.timing import Backoff

__all__ = ["Answer", "Undelivered", "deliver", "webhook_url"]

_TRIES = 6
# Seconds between two tries: minimum, which doubles; maximum, also for a Retry-After.
RETRY_MIN = 0.5
RETRY_MAX = 30.0
# For one answer. The receiver has deadlines of its own for reading, storing and committing.
_TIMEOUT = aiohttp.ClientTimeout(total=90, sock_connect=5)

# Bytes of an answer that are read. Ours are short; a proxy's page may be anything.
_MOST = 2**20

# 500 means that the storage failed. 502 and 504 come from a proxy.
_RETRIED = frozenset({429, 500, 502, 503, 504})


class Undelivered(Exception):
    """No answer came. The message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The receiver's answer to the last try. `body` is its JSON, or empty if it was not JSON."""

    status: int
    body: Mapping[str, Any]
    tries: int

    @property
    def outcome(self) -> str | None:
        """The outcome of the delivery (domain upload_pipeline.outcome) if it was accepted."""
        return self.body.get("outcome") if self.status == 200 else None

    @property
    def detail(self) -> str:
        """The reason that the receiver gave."""
        return str(self.body.get("detail") or self.body.get("message") or "no reason given")


def webhook_url(receiver: str) -> str:
    """The URL for envelopes of the receiver at this address."""
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
    """POST an envelope. Returns the first answer that another try would not change.

    After 429, 500, 502, 503, 504 or no answer it tries again, `tries` times in all, and returns the
    last answer. It waits as Retry-After says; without that header the pause doubles. Raises
    Undelivered if the last try got no answer.
    """
    backoff = Backoff(RETRY_MIN, factor=2, jitter=0)
    answer, reason = None, ""
    for number in range(1, tries + 1):
        retry_after: str | None = None
        try:
            async with session.post(
                url,
                data=webhook.body,
                headers=webhook.headers(clock()),
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                answer = Answer(response.status, _json(await read_at_most(response, _MOST)), number)
                retry_after = response.headers.get("Retry-After")
            if answer.status not in _RETRIED:
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            answer, reason = None, str(error) or type(error).__name__
        if number < tries:
            pause = backoff.next(RETRY_MAX)
            if retry_after is not None:
                now = datetime.fromtimestamp(clock(), UTC)
                pause = seconds_until(retry_after, now) or pause
            await sleep(min(max(pause, 0.0), RETRY_MAX))
    if answer is None:
        raise Undelivered(f"{url} gave no answer in {tries} tries: {reason}.")
    return answer


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
