"""`--follow`: jobs as they move, and a job's steps as they come."""

from __future__ import annotations

import asyncio
import sys
import time
from uuid import UUID

from rich.live import Live
from rich.text import Text

from hookline.cli.job_filters import Wanted, require_status
from hookline.cli.job_id import find_job
from hookline.cli.output import (
    console,
    duration,
    print_json,
    printable,
    say,
    summary,
    table_of,
)
from hookline.cli.rows import JOB_COLUMNS, SEVERITIES, job_row, print_overview
from hookline.postgres.connecting import connected
from hookline.postgres.errors import UnknownJob
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.settings import Settings

__all__ = ["follow_job", "follow_jobs"]

_LOOKS_EVERY = 1.0
_LOOKS_AT_ONE_EVERY = 0.2
# Where a job may stay for ever, its next worker has so many seconds to take it.
_RESTS = 2.0


async def follow_jobs(settings: Settings, wanted: Wanted, *, as_json: bool) -> None:
    """Until it is cancelled. On a terminal a table, else a line for each job that moved."""
    async with connected(settings) as pool:
        views = Views(pool)
        if wanted.status is not None:
            await require_status(views, wanted.status)
        if as_json or not sys.stdout.isatty():
            await _print_moves(views, wanted, as_json=as_json)
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                rows = map(job_row, await wanted.find(views))
                live.update(table_of(JOB_COLUMNS, rows), refresh=True)
                await asyncio.sleep(_LOOKS_EVERY)


async def _print_moves(views: Views, wanted: Wanted, *, as_json: bool) -> None:
    seen: dict[UUID, tuple[int, str | None]] = {}
    while True:
        found = await wanted.find(views)
        for one in sorted(found, key=lambda job: job.updated_at):
            if seen.get(one.job_id) != (one.version, one.leased_by):
                _print_job(one, as_json=as_json)
        seen = {one.job_id: (one.version, one.leased_by) for one in found}
        await asyncio.sleep(_LOOKS_EVERY)


def _print_job(one: JobOverview, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    job_id, filename, status, attempt, _, moved, remark = map(str, job_row(one))
    line = f"{moved}  {job_id}  {status:<12}  {attempt:>5}  {printable(filename)}  {remark}"
    sys.stdout.write(f"{line.rstrip()}\n")
    sys.stdout.flush()


async def follow_job(settings: Settings, text: str, *, as_json: bool) -> JobOverview:
    """Print a job's steps, those of before too, until it is finished; the job as it is then.

    Raises WrongUsage, UnknownJob; the latter also where it is erased meanwhile.
    """
    async with connected(settings) as pool:
        views = Views(pool)
        job = await find_job(views, text)
        # Where a job may stay for ever, and does unless somebody's own stage takes it.
        resting = {one.status for one in await views.statuses() if one.overdue_after is None}
        if not as_json:
            print_overview(job)
            console().print()
        version = 0
        moved_at = time.monotonic()
        while True:
            # The job first: what it says has happened is in the steps that are read after it.
            [job] = await views.jobs_of([job.job_id]) or [_gone(job)]
            for event in await views.timeline(job.job_id, after=version):
                _print_event(event, as_json=as_json)
                version = event.version
                moved_at = time.monotonic()
            if job.terminal:
                return job
            quiet = time.monotonic() - moved_at
            if job.status in resting and job.leased_by is None and quiet > _RESTS:
                say(f"It stays {job.status}, unless a stage of yours works on it.")
                return job
            await asyncio.sleep(_LOOKS_AT_ONE_EVERY)


def _gone(job: JobOverview) -> JobOverview:
    raise UnknownJob(f"job {job.job_id} is gone, it was erased or purged")


def _print_event(event: TimelineEvent, *, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    after = "" if event.after_the_last is None else f"+{duration(event.after_the_last)}"
    origin = event.from_status
    step = (
        event.to_status if origin in (None, event.to_status) else f"{origin} -> {event.to_status}"
    )
    line = Text.assemble(
        f"{event.version:>3}  {event.ts:%H:%M:%S}  {after:>8}  {step:<26}  ",
        (f"{event.code:<18}", SEVERITIES[event.severity]),
        f"  {printable(summary(event.payload))}",
    )
    line.rstrip()
    console().print(line, soft_wrap=True)
