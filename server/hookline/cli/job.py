"""`hookline job`: show one job and its timeline, once or as it grows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from itertools import groupby
from typing import Annotated

import typer

from hookline.cli.exit_codes import FAILED
from hookline.cli.formats import credits_of
from hookline.cli.ids import Id, find_job
from hookline.cli.job_overview import print_overview
from hookline.cli.output import console, print_json, print_table, say
from hookline.cli.timeline import event_line, print_timeline
from hookline.postgres.connecting import connected
from hookline.postgres.errors import UnknownJob
from hookline.postgres.views import Artifact, Cost, JobOverview, LoggedRequest, TimelineEvent, Views
from hookline.settings import Settings, load

__all__ = ["job"]

# Poll interval of --follow, in seconds.
_POLL_INTERVAL = 0.2
# How long a worker may take to claim a job in a status where it may also stay, in seconds.
_REST_TIMEOUT = 2.0


def job(
    job_id: Id,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Also print each new event, until the job ends."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object with the job and its timeline; with --follow one for each"
            " event.",
        ),
    ] = False,
) -> None:
    """Show a job, what it cost, and its timeline: each event, and how long after the one before.

    With --follow the exit code is 1 if the job fails.

    Example: hookline job 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b
    """
    if follow:
        if asyncio.run(_follow_job(load(), job_id, as_json=as_json)).failed:
            raise typer.Exit(FAILED)
        return
    found, artifacts, costs, requests, timeline = asyncio.run(_find_timeline(load(), job_id))
    if as_json:
        print_json(
            {
                **asdict(found),
                "costs": [asdict(one) for one in costs],
                "artifacts": [asdict(one) for one in artifacts],
                "provider_requests": [asdict(request) for request in requests],
                "timeline": [asdict(event) for event in timeline],
            }
        )
        return
    print_overview(found, artifacts, requests)
    console().print()
    if costs:
        _print_costs(costs)
        console().print()
    print_timeline(timeline)


def _print_costs(costs: Sequence[Cost]) -> None:
    """One row for each attempt: what was reserved last, and the sum of its bills."""
    rows = []
    for attempt, found in groupby(costs, key=lambda one: one.attempt):
        tries = list(found)
        bills = [one.billed for one in tries if one.billed is not None]
        rows.append(
            (
                str(attempt),
                tries[-1].provider,
                credits_of(tries[-1].reserved),
                credits_of(sum(bills, Decimal())) if bills else "",
            )
        )
    print_table([">attempt", "provider", ">reserved", ">billed"], rows)


async def _find_timeline(
    settings: Settings, text: str
) -> tuple[JobOverview, list[Artifact], list[Cost], list[LoggedRequest], list[TimelineEvent]]:
    async with connected(settings) as pool:
        views = Views(pool)
        found = await find_job(views, text)
        return (
            found,
            await views.artifacts(found.job_id),
            await views.costs(found.job_id),
            await views.provider_requests(found.job_id),
            await views.timeline(found.job_id),
        )


async def _follow_job(settings: Settings, text: str, *, as_json: bool) -> JobOverview:
    """Print the events of a job, old and new, until it ends. Returns the job at its end.

    A job also ends in a status where it may stay, if no worker claims it. Raises WrongUsage, and
    UnknownJob, also when the job is erased meanwhile.
    """
    async with connected(settings) as pool:
        views = Views(pool)
        job = await find_job(views, text)
        # A status without a deadline: a job stays there unless a stage of the user takes it.
        resting = {one.status for one in await views.statuses() if one.overdue_after is None}
        if not as_json:
            print_overview(job)
            console().print()
        version = 0
        moved_at = time.monotonic()
        while True:
            # The job before its events: so they include the one that led to its status.
            [job] = await views.jobs_of([job.job_id]) or [_gone(job)]
            for event in await views.timeline(job.job_id, after=version):
                _print_event(event, as_json=as_json)
                version = event.version
                moved_at = time.monotonic()
            if job.terminal:
                return job
            quiet = time.monotonic() - moved_at
            if job.status in resting and job.leased_by is None and quiet > _REST_TIMEOUT:
                say(f"The job stays {job.status}, unless a stage of your own works on it.")
                return job
            await asyncio.sleep(_POLL_INTERVAL)


def _gone(job: JobOverview) -> JobOverview:
    raise UnknownJob(f"job {job.job_id} does not exist any more: it was erased or purged")


def _print_event(event: TimelineEvent, *, as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    console().print(event_line(event), soft_wrap=True)
