"""The local parser as a stage: `uploaded` to parsed, by a signed webhook to our own receiver.

A text takes the way of every other parser's: proof, checks, storage. Why there is none is told to
the engine at once: it keeps the code.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp

from hookline.process.http_listener import address, reached_at
from hookline.providers.local.delivery import Answer, Undelivered, deliver, webhook_url
from hookline.providers.local.parser import (
    DEADLINE,
    MAX_BYTES,
    Parsed,
    ParseFailed,
    ParserMissing,
    parse_content,
    parser_version,
)
from hookline.providers.local.signed_envelope import webhook_of
from hookline.providers.parser_stages import ParserStages
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Deferred, Failed, HandedOver, Job, Paused, Stage, Tools

__all__ = ["ParseLocally", "local_stage", "receiver_url"]

# Each is a process that computes.
_AT_ONCE: Final = min(os.cpu_count() or 1, 8)
# More than all limits inside of it together.
_TIMEOUT: Final = 600.0
# A receiver that restarts; what takes longer is the engine's to repeat.
_TRIES: Final = 3
# Its secret is another one: until somebody has looked at it, nothing would be taken.
_PAUSE: Final = timedelta(minutes=1)
# The receiver's outcomes after which the text is the job's content.
_TAKEN: Final = frozenset({"applied", "duplicate"})


def _now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def local_stage(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stage, while the connection to the receiver is open.

    Raises ConfigurationError without the package, or a secret to sign with.
    """
    settings.require_llamaparse_secret()
    try:
        parser_version()
    except ParserMissing as error:
        raise ConfigurationError(str(error)) from error
    async with aiohttp.ClientSession() as session:
        handler = ParseLocally(session, receiver_url(settings))
        yield ParserStages((Stage("uploaded", handler, concurrency=_AT_ONCE, timeout=_TIMEOUT),))


def receiver_url(settings: Settings) -> str:
    """Where the receiver is reached from here."""
    if settings.receiver_url is not None:
        return settings.receiver_url.rstrip("/")
    return address(reached_at(settings.host), settings.port)


class ParseLocally:
    """The handler. The receiver's step ends the lease."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        receiver: str,
        *,
        deadline: float = DEADLINE,
        tries: int = _TRIES,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._session = session
        self._receiver = receiver
        self._deadline = deadline
        self._tries = tries
        self._now = now

    async def __call__(self, job: Job, tools: Tools) -> HandedOver:
        """Parse the raw file and deliver its text. Raises Failed, Deferred."""
        if job.bytes_len > MAX_BYTES:
            raise _too_large(f"{job.bytes_len:,} bytes, and {MAX_BYTES:,} are the most")
        content = await tools.raw(job)
        result = await parse_content(content, job.filename, deadline=self._deadline)
        if isinstance(result, ParseFailed):
            raise Failed(result.code, result.reason, permanent=result.permanent)
        self._require_taken(await self._deliver(job, result, tools))
        return HandedOver()

    async def _deliver(self, job: Job, result: Parsed, tools: Tools) -> Answer:
        webhook = await asyncio.to_thread(webhook_of, tools.settings, job, result)
        if len(webhook.body) > tools.settings.max_body:
            raise _too_large(
                f"its text makes a webhook of {len(webhook.body):,} bytes, and HOOKLINE_MAX_BODY is"
                f" {tools.settings.max_body:,}"
            )
        # The receiver's step ends the lease before its answer is here.
        tools.expect_hand_over()
        try:
            return await deliver(
                self._session, webhook_url(self._receiver), webhook, tries=self._tries
            )
        except Undelivered as error:
            raise Deferred("receiver_away", str(error)) from error

    def _require_taken(self, answer: Answer) -> None:
        said = f"The receiver at {self._receiver} answered {answer.status}: {answer.detail}"
        match answer.status:
            case 200 if answer.outcome in _TAKEN:
                return
            case 200:
                # The job went elsewhere, and the lease with it. If not, this releases the job.
                raise Deferred(
                    "content_not_applied",
                    f"The receiver at {self._receiver} answered {answer.outcome or 'no outcome'}:"
                    " the job's status did not change.",
                )
            case 401:
                raise Paused(
                    "receiver_refused_us",
                    said,
                    self._now() + _PAUSE,
                    f"HOOKLINE_LLAMAPARSE_SECRETS or HOOKLINE_LLAMAPARSE_SCHEME of the worker is"
                    f" not that of the receiver at {self._receiver}.",
                )
            case 404:
                # Erased meanwhile, and the lease with it; else nobody's fault that tries would end.
                raise Deferred("receiver_knows_no_such_job", f"{said} Has it another database?")
            case 413:
                raise _too_large("its text is larger than the receiver's HOOKLINE_MAX_BODY")
            case 429 | 500 | 502 | 503 | 504:
                raise Deferred("receiver_unavailable", said)
            case _:
                raise Failed("webhook_refused", said)


def _too_large(what: str) -> Failed:
    return Failed("DOCUMENT_TOO_LARGE", f"The document is too large: {what}.", permanent=True)
