"""The demo: one real PDF through every part, without any account; each step is reported."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp

from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.process import logs
from hookline.providers.local.delivery import Answer, deliver, webhook_url
from hookline.providers.local.parser import Parsed, ParserMissing, parser_version
from hookline.providers.local.signed_envelope import SignedEnvelope, webhook_of
from hookline.settings import ENV_FILE, ConfigurationError, load
from hookline.standalone.stack import Stack, running_stack
from hookline.storage.files import FileStorage
from hookline.submission.files import read_raw
from hookline.submission.job_creation import make_job

__all__ = ["SAMPLE", "Outcome", "Step", "run"]

# Our own document, made by tests/support/pdfs.py.
SAMPLE = Path(__file__).with_name("sample.pdf")

# How long a worker may take with the sample, and how often the job is read, in seconds.
_PARSE_TIMEOUT = 60.0
_POLL_INTERVAL = 0.02


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the demo did. `holds` is false where the result is not the promised one.

    `seconds` is the time since the step before.
    """

    sentence: str
    result: str
    holds: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the document left behind; `answer` is the receiver's answer to the repeated webhook."""

    job: JobOverview
    timeline: list[TimelineEvent]
    answer: Answer
    markdown: Path


async def run(
    directory: Path, *, on_step: Callable[[Step], None], on_outcome: Callable[[Outcome], None]
) -> bool:
    """Take the sample through every part, in `directory`/.hookline; whether every step holds.

    True means that the job is parsed, the object on disk has the hash that the database has, and
    check_integrity() finds nothing. Each run is for a new owner, so the document is new each time.
    Raises what `running_stack` raises, and ConfigurationError without the local parser.
    """
    logs.configure(load(directory / ENV_FILE).log_format, logging.WARNING)
    try:
        parser_version()
    except ParserMissing as error:
        raise ConfigurationError(str(error)) from error
    steps = _Steps(on_step)
    # Always the parser of this machine: LlamaCloud costs money.
    async with running_stack(directory, join=True, parser="local") as up:
        if up.parser != "local":
            raise ConfigurationError(
                f"The demo shows the parser of this machine, and the `hookline up` that runs in"
                f" {up.home.parent} has another one: stop it, or take another directory."
            )
        steps.report("Postgres, file storage, receiver and worker are up", up.url)
        async with connected(up.settings) as pool, aiohttp.ClientSession() as session:
            engine = Engine(pool)
            outcome = await _process_sample(up, engine, Views(pool), session, steps)
            if outcome is not None:
                on_outcome(outcome)
                await _check(engine, outcome, steps)
    return steps.all_hold


class _Steps:
    """Reports each step with the time since the last one."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self._on_step = on_step
        self._last = time.perf_counter()
        self.all_hold = True

    def report(self, sentence: str, result: str = "", holds: bool = True) -> None:
        self.all_hold &= holds
        self._on_step(Step(sentence, result, holds, time.perf_counter() - self._last))
        self._last = time.perf_counter()


async def _process_sample(
    up: Stack, engine: Engine, views: Views, session: aiohttp.ClientSession, steps: _Steps
) -> Outcome | None:
    raw = read_raw(SAMPLE)
    storage = FileStorage(up.objects)
    made = await make_job(engine, views, storage, raw, uuid4())
    assert made.job_id is not None  # noqa: S101 - every outcome of create_job has a job
    steps.report(
        f"{raw.filename} is stored, {len(raw.content):,} bytes; its job is {made.status}",
        f"job {made.job_id}",
    )

    job = await _wait_until_parsed_or_failed(views, made.job_id)
    if job is None:
        steps.report(
            f"No worker has done it within {_PARSE_TIMEOUT:g} s: see `hookline jobs`.", holds=False
        )
        return None
    if job.parsed_path is None:
        reason = (job.last_error or {}).get("error")
        steps.report(f"The job is {job.status}: {reason}", holds=False)
        return None
    timeline = await views.timeline(job.job_id)
    [completed] = [event for event in timeline if event.code == "parse_completed"]
    result = Parsed(
        (await storage.read(job.parsed_path)).decode(),
        completed.payload["parser_name"],
        completed.payload["parser_version"],
    )
    steps.report(
        f"The worker's {result.parser_name} {result.parser_version} did it;"
        f" the job is {completed.to_status}",
        f"by its signed webhook, {len(result.markdown):,} characters",
        completed.to_status == "parsed",
    )

    # Byte for byte what the worker has sent.
    url, webhook = webhook_url(up.url), webhook_of(up.settings, job, result)
    unsigned = await _post_unsigned(session, url, webhook)
    steps.report("The same webhook, unsigned, is refused", f"HTTP {unsigned}", unsigned == 401)
    repeated = await deliver(session, url, webhook)
    steps.report(
        f"Sent once more as it was, it is a {repeated.outcome}",
        f"HTTP {repeated.status}",
        repeated.outcome == "duplicate",
    )
    return Outcome(job, timeline, repeated, storage.file_of(job.parsed_path))


async def _wait_until_parsed_or_failed(views: Views, job_id: UUID) -> JobOverview | None:
    """The job, once it is parsed or has ended; None when that takes too long."""
    deadline = time.monotonic() + _PARSE_TIMEOUT
    while time.monotonic() < deadline:
        [job] = await views.jobs_of([job_id])
        if job.terminal or job.parsed_path is not None:
            return job
        await asyncio.sleep(_POLL_INTERVAL)
    return None


async def _check(engine: Engine, outcome: Outcome, steps: _Steps) -> None:
    content = await asyncio.to_thread(outcome.markdown.read_bytes)
    digest = hashlib.sha256(content).hexdigest()
    steps.report(
        "The file on disk has the hash of the database",
        f"sha256 {digest[:16]}",
        digest == outcome.job.parsed_sha256,
    )
    violations = await engine.check_integrity()
    steps.report("check_integrity() finds nothing", f"{len(violations)} rows", not violations)


async def _post_unsigned(session: aiohttp.ClientSession, url: str, webhook: SignedEnvelope) -> int:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=webhook.body, headers=headers) as response:
        return response.status
