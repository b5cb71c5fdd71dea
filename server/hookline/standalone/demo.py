"""`hookline demo`: the main job on a real PDF, each step with its time, without any account."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.process import logs
from hookline.providers.local.delivery import Answer, deliver, webhook_url
from hookline.providers.local.parser import Parsed, ParserMissing, parser_version
from hookline.providers.local.signed_envelope import SignedEnvelope, webhook_of
from hookline.settings import ConfigurationError
from hookline.standalone.up import Standing, standing
from hookline.standalone.words import duration
from hookline.storage.files import FileStorage
from hookline.submission.files import read_raw
from hookline.submission.job_creation import make_job

__all__ = ["SAMPLE", "run"]

# Hookline's own, made by tests/support/pdfs.py.
SAMPLE = Path(__file__).with_name("sample.pdf")

_FIRST_LINES = 5
_LONGEST_LINE = 96
# How long a worker may take with the sample, and how often it is looked for, in seconds.
_PATIENCE = 60.0
_LOOKS_EVERY = 0.02


async def run(directory: Path, console: Console) -> int:
    """The whole way of one document, in `directory`/.hookline; the command's exit code.

    0 only if the job is parsed, the object on disk has the hash that the database has, and
    check_integrity() finds nothing. Each run is a new owner's, and so a new document. Raises what
    `standing` raises, and ConfigurationError without the local parser.
    """
    logs.configure(logging.WARNING)
    try:
        parser_version()
    except ParserMissing as error:
        raise ConfigurationError(str(error)) from error
    shown = _Steps(console)
    # Always this machine's parser: the other one costs money.
    async with standing(directory, join=True, parser="local") as up:
        if up.parser != "local":
            raise ConfigurationError(
                f"The demo shows the parser of this machine, and the `hookline up` that runs in"
                f" {up.home.parent} has another one: stop it, or take another directory."
            )
        shown.step("Postgres, file storage, receiver and worker are up", up.url)
        async with connected(up.settings) as pool, aiohttp.ClientSession() as session:
            way = await _go(up, Engine(pool), Views(pool), session, shown)
            if way is None:
                return 1
            _show(console, way)
            return await _check(Engine(pool), way, shown)


@dataclass(frozen=True, slots=True)
class _Way:
    """What the document left behind."""

    job: JobOverview
    timeline: list[TimelineEvent]
    answer: Answer
    markdown: Path


async def _go(
    up: Standing, engine: Engine, views: Views, session: aiohttp.ClientSession, shown: _Steps
) -> _Way | None:
    raw = read_raw(SAMPLE)
    storage = FileStorage(up.objects)
    made = await make_job(engine, views, storage, raw, uuid4())
    assert made.job_id is not None  # noqa: S101 - every outcome of create_job has a job
    shown.step(
        f"{raw.filename} is stored, {len(raw.content):,} bytes; its job is {made.status}",
        f"job {made.job_id}",
    )

    job = await _ended(views, made.job_id)
    if job is None:
        shown.fault(f"No worker has done it within {_PATIENCE:g} s: see `hookline jobs`.")
        return None
    if job.parsed_path is None:
        reason = (job.last_error or {}).get("error")
        shown.fault(f"The job is {job.status}: {reason}")
        return None
    timeline = await views.timeline(job.job_id)
    [completed] = [event for event in timeline if event.code == "parse_completed"]
    result = Parsed(
        (await storage.read(job.parsed_path)).decode(),
        completed.payload["parser_name"],
        completed.payload["parser_version"],
    )
    shown.step(
        f"The worker's {result.parser_name} {result.parser_version} did it;"
        f" the job is {completed.to_status}",
        f"by its signed webhook, {len(result.markdown):,} characters",
        completed.to_status == "parsed",
    )

    # To the byte what the worker has sent.
    url, webhook = webhook_url(up.url), webhook_of(up.settings, job, result)
    unsigned = await _post_unsigned(session, url, webhook)
    shown.step("The same webhook, unsigned, is refused", f"HTTP {unsigned}", unsigned == 401)
    replay = await deliver(session, url, webhook)
    shown.step(
        f"Sent once more as it was, it is a {replay.outcome}",
        f"HTTP {replay.status}",
        replay.outcome == "duplicate",
    )
    return _Way(job, timeline, replay, storage.file_of(job.parsed_path))


async def _ended(views: Views, job_id: UUID) -> JobOverview | None:
    """The job, once it is parsed or has failed."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        [job] = await views.jobs_of([job_id])
        if job.terminal or job.parsed_path is not None:
            return job
        await asyncio.sleep(_LOOKS_EVERY)
    return None


async def _check(engine: Engine, way: _Way, shown: _Steps) -> int:
    content = await asyncio.to_thread(way.markdown.read_bytes)
    digest = hashlib.sha256(content).hexdigest()
    shown.step(
        "The file on disk has the hash of the database",
        f"sha256 {digest[:16]}…",
        digest == way.job.parsed_sha256,
    )
    violations = await engine.check_integrity()
    shown.step("check_integrity() finds nothing", f"{len(violations)} rows", not violations)
    return 0 if shown.all_well else 1


async def _post_unsigned(session: aiohttp.ClientSession, url: str, webhook: SignedEnvelope) -> int:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=webhook.body, headers=headers) as response:
        return response.status


def _show(console: Console, way: _Way) -> None:
    console.print(Text(f"\nThe markdown: {_nearby(way.markdown)}", style="bold"))
    for line in way.markdown.read_text(encoding="utf-8").splitlines()[:_FIRST_LINES]:
        cut = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
        console.print(Text(f"  {cut}", style="dim"))

    console.print(Text("\nThe receiver's answer to the repetition:", style="bold"))
    for name, value in way.answer.body.items():
        console.print(Text(f"  {name}: {json.dumps(value)}"))

    console.print(Text("\nThe job's timeline:", style="bold"))
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("version", "after", "status", "type", "code"):
        right = heading in ("version", "after")
        table.add_column(Text(heading), justify="right" if right else "left", no_wrap=True)
    for event in way.timeline:
        moved = event.from_status not in (None, event.to_status)
        table.add_row(
            str(event.version),
            duration(event.after_the_last),
            f"{event.from_status} → {event.to_status}" if moved else event.to_status,
            event.type,
            event.code,
        )
    console.print(table)
    console.print()


class _Steps:
    """Prints each step with the time since the last one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.perf_counter()
        self.all_well = True

    def step(self, what: str, result: str, well: bool = True) -> None:
        now = time.perf_counter()
        took = duration(now - self._last)
        self.all_well &= well
        mark = Text("✓" if well else "✗", style="green" if well else "bold red")
        line = Text(f" {what:<56} {took:>8}  ")
        self._console.print(Text.assemble(mark, line, Text(result, style="dim")))
        self._last = time.perf_counter()

    def fault(self, sentence: str) -> None:
        self.all_well = False
        self._console.print(Text.assemble(Text("✗ ", style="bold red"), sentence))


def _nearby(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
