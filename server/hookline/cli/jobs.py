"""`hookline jobs` and `hookline job`: where jobs are, and how one came there."""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.following import follow_job, follow_jobs
from hookline.cli.job_filters import Wanted, require_status
from hookline.cli.job_id import Id, find_job
from hookline.cli.output import console, print_json, print_table, printable, say
from hookline.cli.rows import EVENT_COLUMNS, JOB_COLUMNS, event_row, job_row, print_overview
from hookline.postgres.connecting import connected
from hookline.postgres.views import JobOverview, TimelineEvent, Views
from hookline.settings import Settings, load

__all__ = ["job", "jobs"]

_AGO = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _moment(text: str) -> datetime:
    """A time in the past by how long ago it is, or by itself, in UTC unless it says otherwise."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise WrongUsage(
            f"--since {printable(text)} is wrong: it is 90s, 30m, 12h or 7d ago, or a time like"
            " 2026-11-25 or 2026-11-25T08:30."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this status.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only the dead letters.")] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only jobs that are past their deadline.")
    ] = False,
    owner: Annotated[UUID | None, typer.Option(help="Only jobs of this owner's documents.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Only jobs made since then: 90s, 30m, 12h, 7d ago, or a date and time, in UTC.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 50,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Go on, until Ctrl-C: a live table, or elsewhere each job that moves."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line: a row of job_overview.")
    ] = False,
) -> None:
    """List jobs, the newest first.

    Example: hookline jobs --failed --since 7d --json | jq -r .job_id
    """
    wanted = Wanted(status, failed, overdue, owner, _moment(since) if since else None, limit)
    if follow:
        asyncio.run(follow_jobs(load(), wanted, as_json=as_json))
        return
    found = asyncio.run(_find_jobs(load(), wanted))
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        say("No such jobs.")
        return
    print_table(JOB_COLUMNS, map(job_row, found))
    if len(found) == limit:
        say(f"These are the newest {limit}: --limit shows more.")


def job(
    job_id: Id,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Go on with each step as it comes, to the last."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object: the job, with its timeline; with --follow one a step.",
        ),
    ] = False,
) -> None:
    """Show a job and its timeline: every step, when, how long after the one before, and why.

    With --follow the exit code is 1 if the job fails.

    Example: hookline job 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b
    """
    if follow:
        if asyncio.run(follow_job(load(), job_id, as_json=as_json)).failed:
            raise typer.Exit(FAILED)
        return
    found, timeline = asyncio.run(_find_timeline(load(), job_id))
    if as_json:
        print_json({**asdict(found), "timeline": [asdict(event) for event in timeline]})
        return
    print_overview(found)
    console().print()
    print_table(EVENT_COLUMNS, map(event_row, timeline))


async def _find_jobs(settings: Settings, wanted: Wanted) -> list[JobOverview]:
    async with connected(settings) as pool:
        views = Views(pool)
        if wanted.status is not None:
            await require_status(views, wanted.status)
        return await wanted.find(views)


async def _find_timeline(settings: Settings, text: str) -> tuple[JobOverview, list[TimelineEvent]]:
    async with connected(settings) as pool:
        views = Views(pool)
        found = await find_job(views, text)
        return found, await views.timeline(found.job_id)
