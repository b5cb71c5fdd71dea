"""`hookline demo`: the main job on a real PDF, each step with its time, without any account."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookline import logs
from hookline.delivery import Answer, Webhook, deliver
from hookline.engine import Engine
from hookline.local_parser import ParseFailed
from hookline.standalone import Standing, standing
from hookline.storage.files import FileStorage
from hookline.submit import (
    make_job,
    parse_raw,
    read_raw,
    require_local_parser,
    webhook_of,
    webhook_url,
)
from hookline.views import Event, Job, Views, connected, duration

__all__ = ["SAMPLE", "run"]

# Hookline's own, made by tests/standalone/pdfs.py.
SAMPLE = Path(__file__).with_name("sample.pdf")

_FIRST_LINES = 5
_LONGEST_LINE = 96


async def run(directory: Path, console: Console) -> int:
    """The whole way of one document, in `directory`/.hookline; the command's exit code.

    0 only if the job is `parsed`, the object on disk has the hash that the database has, and
    check_integrity() finds nothing. Each run is a new owner's, and so a new document. Raises what
    `standing` raises, and ConfigurationError without the local parser.
    """
    logs.configure(logging.WARNING)
    require_local_parser()
    shown = _Steps(console)
    async with standing(directory, join=True) as up:
        shown.step("Postgres, file storage and the receiver are up", up.url)
        async with connected(up.settings) as pool, aiohttp.ClientSession() as session:
            way = await _go(up, Engine(pool), Views(pool), session, shown)
            if way is None:
                return 1
            _show(console, way)
            return await _check(Engine(pool), way, shown)


@dataclass(frozen=True, slots=True)
class _Way:
    """What the document left behind."""

    job: Job
    timeline: list[Event]
    answer: Answer
    markdown: Path


async def _go(
    up: Standing, engine: Engine, views: Views, session: aiohttp.ClientSession, shown: _Steps
) -> _Way | None:
    raw = read_raw(SAMPLE)
    storage = FileStorage(up.objects)
    made = await make_job(engine, storage, raw, uuid4())
    assert made.job_id is not None  # noqa: S101 - every outcome of create_job has a job
    [job] = await views.jobs_between(made.job_id, made.job_id, limit=1)
    shown.step(
        f"{raw.filename} is stored, {len(raw.content):,} bytes; its job is {job.status}",
        f"job {job.job_id}",
    )

    result = await parse_raw(raw)
    if isinstance(result, ParseFailed):
        shown.fault(f"The local parser failed: {result.reason}")
        return None
    shown.step(
        f"{result.parser_name} {result.parser_version} parsed it",
        f"{result.pages} pages, {len(result.markdown):,} characters of markdown",
    )

    url = webhook_url(up.url)
    webhook = webhook_of(up.settings, job, result)
    unsigned = await _post_unsigned(session, url, webhook)
    shown.step("An unsigned webhook is refused", f"HTTP {unsigned}", unsigned == 401)
    answer = await deliver(session, url, webhook)
    [job] = await views.jobs_between(job.job_id, job.job_id, limit=1)
    shown.step(
        f"The signed one is {answer.outcome}; the job is {job.status}",
        f"HTTP {answer.status}",
        job.status == "parsed",
    )
    replay = await deliver(session, url, webhook)
    shown.step(
        f"The same one again is a {replay.outcome}",
        f"HTTP {replay.status}",
        replay.outcome == "duplicate",
    )
    if job.parsed_path is None:
        shown.fault(f"The receiver answered {answer.status}: {answer.detail}")
        return None
    return _Way(job, await views.timeline(job.job_id), answer, storage.file_of(job.parsed_path))


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


async def _post_unsigned(session: aiohttp.ClientSession, url: str, webhook: Webhook) -> int:
    headers = {"Content-Type": "application/json"}
    async with session.post(url, data=webhook.body, headers=headers) as response:
        return response.status


def _show(console: Console, way: _Way) -> None:
    console.print(Text(f"\nThe markdown: {_nearby(way.markdown)}", style="bold"))
    for line in way.markdown.read_text(encoding="utf-8").splitlines()[:_FIRST_LINES]:
        cut = line if len(line) <= _LONGEST_LINE else f"{line[: _LONGEST_LINE - 1]}…"
        console.print(Text(f"  {cut}", style="dim"))

    console.print(Text("\nThe receiver's answer:", style="bold"))
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
