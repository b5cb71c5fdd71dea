"""The local parser as a stage: parses `uploaded` jobs and sends the text to our own receiver.

The text is checked and stored by the receiver, as every other parser's is. A failure is told to the
engine directly, which keeps its code.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

import aiohttp

from hookline.process.http_client import check_certificates
from hookline.process.http_listener import address, reached_at
from hookline.providers.artifacts import Artifacts
from hookline.providers.client import Artifact
from hookline.providers.configured_parser import LOCAL
from hookline.providers.errors import Refused, result_too_large
from hookline.providers.job_options import check_job_options
from hookline.providers.local.delivery import Answer, Undelivered, deliver, webhook_url
from hookline.providers.local.page_artifacts import EXTENSIONS, LARGEST
from hookline.providers.local.parser import (
    DEADLINE,
    MAX_BYTES,
    MEMORY,
    Parsed,
    ParseFailed,
    ParserMissing,
    parse_content,
    parser_version,
)
from hookline.providers.local.signed_envelope import parse_job_id_of, webhook_of
from hookline.providers.options import NoOptions, read_options
from hookline.providers.parser_stages import ParserStages
from hookline.settings import ConfigurationError, Settings
from hookline.stages import Deferred, Failed, HandedOver, Job, Paused, Stage, Tools

__all__ = ["ParseLocally", "local_stage", "receiver_url"]

# Each job is a child process that computes.
_CONCURRENCY: Final = min(os.cpu_count() or 1, 8)
# Seconds. Longer than all deadlines inside the handler together.
_TIMEOUT: Final = 600.0
# Enough for a receiver that restarts. After that the engine defers the job.
_TRIES: Final = 3
# If the receiver has another secret, it refuses every job until somebody corrects that.
_REFUSED_PAUSE: Final = timedelta(minutes=1)
# The receiver's outcomes after which the text is the job's content.
_TAKEN: Final = frozenset({"applied", "duplicate"})


@asynccontextmanager
async def local_stage(settings: Settings) -> AsyncIterator[ParserStages]:
    """The stage of the local parser. Its connection to the receiver is open inside the block.

    Raises ConfigurationError if liteparse is not installed, there is no secret to sign with, or the
    certificates for a receiver behind TLS cannot be used.
    """
    settings.require_llamaparse_secret()
    try:
        parser_version()
    except ParserMissing as error:
        raise ConfigurationError(str(error)) from error
    if receiver_url(settings).startswith("https:"):
        check_certificates()
    async with aiohttp.ClientSession() as session:
        at_once = min(_CONCURRENCY, settings.parser_memory_budget // settings.parser_memory)
        handler = ParseLocally(
            session, receiver_url(settings), memory=settings.parser_memory, at_once=at_once
        )
        stage = Stage("uploaded", handler, concurrency=at_once, timeout=_TIMEOUT)
        yield ParserStages((stage,))


def receiver_url(settings: Settings) -> str:
    """The address at which this machine reaches the receiver, without a slash at its end."""
    if settings.receiver_url is not None:
        return settings.receiver_url.rstrip("/")
    return address(reached_at(settings.host), settings.port)


class _Offer:
    """All that there is comes with the text."""

    artifact_kinds = frozenset(EXTENSIONS)

    async def artifacts(self, parse_job_id: str, kinds: Collection[str]) -> Sequence[Artifact]:
        return ()


class ParseLocally:
    """The handler. The receiver ends the job's lease when it stores the text."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        receiver: str,
        *,
        deadline: float = DEADLINE,
        memory: int = MEMORY,
        at_once: int = _CONCURRENCY,
        tries: int = _TRIES,
    ) -> None:
        self._session = session
        self._receiver = receiver
        self._deadline = deadline
        self._memory = memory
        # The stage may be given a higher concurrency, but no more children may run at once.
        self._children = asyncio.Semaphore(at_once)
        self._artifacts = Artifacts(_Offer())
        # Attempts whose artifacts and missing parts are recorded: sending again does not repeat it.
        self._recorded: set[tuple[UUID, int]] = set()
        self._tries = tries

    async def __call__(self, job: Job, tools: Tools) -> HandedOver:
        """Parse the raw file and send its text to the receiver. Raises Failed, Deferred, Paused."""
        try:
            check_job_options(job.options, NoOptions, LOCAL)
            wanted = read_options(NoOptions, job.options, LOCAL).artifacts
        except Refused as error:
            raise Failed(error.code, str(error), permanent=True) from error
        if job.bytes_len > MAX_BYTES:
            raise _too_large(f"{job.bytes_len:,} bytes, and {MAX_BYTES:,} are the most")
        async with self._children:
            content = await tools.raw(job)
            result = await parse_content(
                content,
                job.filename,
                deadline=self._deadline,
                memory=self._memory,
                # The envelope would be larger still.
                max_answer=tools.settings.max_body,
                artifacts=wanted,
            )
        if isinstance(result, ParseFailed):
            raise Failed(result.code, result.reason, permanent=result.permanent)
        # Before the content, so that no content is stored without its warnings and artifacts.
        if (job.job_id, job.attempt) not in self._recorded:
            await self._record(job, result, wanted, tools)
        self._check_taken(await self._deliver(job, result, tools))
        self._recorded.discard((job.job_id, job.attempt))
        return HandedOver()

    async def _record(self, job: Job, result: Parsed, wanted: Sequence[str], tools: Tools) -> None:
        parse_job_id = parse_job_id_of(job)
        held = [_artifact(kind, text) for kind, text in result.artifacts.items()]
        await self._artifacts.store(job, tools, wanted, parse_job_id, held)
        if result.pages_without_text:
            await tools.engine.advance_job(
                job.job_id,
                job.lease_token,
                "parse_truncated",
                {
                    "parse_job_id": parse_job_id,
                    "pages_without_text": result.pages_without_text,
                },
                keep_lease=True,
            )
        if wanted or result.pages_without_text:
            self._recorded.add((job.job_id, job.attempt))

    async def _deliver(self, job: Job, result: Parsed, tools: Tools) -> Answer:
        webhook = await asyncio.to_thread(webhook_of, tools.settings, job, result)
        if len(webhook.body) > tools.settings.max_body:
            raise _too_large(
                f"its text makes a webhook of {len(webhook.body):,} bytes, and HOOKLINE_MAX_BODY is"
                f" {tools.settings.max_body:,}"
            )
        # The receiver's step ends the lease before its answer arrives here.
        tools.expect_hand_over()
        try:
            return await deliver(
                self._session, webhook_url(self._receiver), webhook, tries=self._tries
            )
        except Undelivered as error:
            raise Deferred("receiver_away", str(error)) from error

    def _check_taken(self, answer: Answer) -> None:
        said = f"The receiver at {self._receiver} answered {answer.status}: {answer.detail}"
        match answer.status:
            case 200 if answer.outcome in _TAKEN:
                return
            case 200:
                # Usually the job has moved, and the lease has ended. If not, deferring ends it.
                raise Deferred(
                    "content_not_applied",
                    f"The receiver at {self._receiver} answered {answer.outcome or 'no outcome'}:"
                    " the job's status did not change.",
                )
            case 401:
                raise Paused(
                    "receiver_refused_us",
                    said,
                    _REFUSED_PAUSE,
                    "HOOKLINE_LLAMAPARSE_SECRETS or HOOKLINE_LLAMAPARSE_SCHEME of this worker"
                    f" differs from that of the receiver at {self._receiver}.",
                )
            case 404:
                # Usually the job was erased meanwhile, and the lease has ended.
                raise Deferred(
                    "receiver_knows_no_such_job", f"{said} Does it use another database?"
                )
            case 413:
                raise _too_large("its text is larger than the receiver's HOOKLINE_MAX_BODY")
            case 429 | 500 | 502 | 503 | 504:
                raise Deferred("receiver_unavailable", said)
            case _:
                raise Failed("webhook_refused", said)


def _artifact(kind: str, text: str | None) -> Artifact:
    async def read() -> bytes:
        if text is None:
            raise result_too_large(LARGEST)
        return text.encode()

    return Artifact(kind, EXTENSIONS[kind], read)


def _too_large(what: str) -> Failed:
    return Failed("DOCUMENT_TOO_LARGE", f"The document is too large: {what}.", permanent=True)
