"""`hookline jobs`: list jobs, once or again and again."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated
from uuid import UUID

import typer
from rich.live import Live

from hookline.cli.completion import complete_statuses
from hookline.cli.formats import printable
from hookline.cli.job_filters import JobFilters
from hookline.cli.job_table import JOB_COLUMNS, job_row, terminal_table
from hookline.cli.output import console, print_json, print_table, say
from hookline.cli.pairs import texts_of_pairs
from hookline.cli.times import moment_of
from hookline.postgres.connecting import connected
from hookline.postgres.views import METADATA_SEARCH, JobOverview, Views
from hookline.settings import Settings, load
from hookline.timing import now

__all__ = ["jobs"]

# Poll interval of --follow, in seconds.
_POLL_INTERVAL = 1.0


def jobs(
    status: Annotated[
        str | None,
        typer.Option(help="List only jobs in this status.", autocompletion=complete_statuses),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="List only failed jobs.")] = False,
    overdue: Annotated[
        bool,
        typer.Option(
            "--overdue", help="List only jobs past their deadline, the longest overdue first."
        ),
    ] = False,
    owner: Annotated[
        str | None,
        typer.Option(metavar="ID", help="List only jobs of this owner: its id, or first digits."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="List only jobs created since then: 90s, 30m, 12h or 7d ago, or a date and time,"
            " in UTC.",
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="List only jobs whose metadata has this value. May be repeated. The newest"
            f" {METADATA_SEARCH:,} jobs that pass the other filters are searched.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="List at most so many.")] = 50,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Repeat until Ctrl-C: a live table on a terminal, else a line for each job that"
            " moves.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each job.")
    ] = False,
) -> None:
    """List jobs, the newest first.

    Example: hookline jobs --failed --since 7d --json | jq -r .job_id
    """
    begin = moment_of("--since", since) if since else None
    wanted = texts_of_pairs("--metadata", metadata or [])
    filters = JobFilters(status, failed, overdue, owner, begin, limit, wanted)
    if follow:
        asyncio.run(_follow_jobs(load(), filters, as_json=as_json))
        return
    found = asyncio.run(_find_jobs(load(), filters))
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        say("No such jobs.")
        return
    screen = console()
    if screen.is_terminal:
        screen.print(terminal_table(found, now(), screen.width))
    else:
        print_table(JOB_COLUMNS, map(job_row, found))
    if len(found) == limit:
        which = f"the {limit} longest overdue" if overdue else f"the newest {limit}"
        say(f"These are {which}: --limit lists more.")


async def _find_jobs(settings: Settings, filters: JobFilters) -> list[JobOverview]:
    async with connected(settings) as pool:
        views = Views(pool)
        return await (await filters.checked(views)).find(views)


async def _follow_jobs(settings: Settings, filters: JobFilters, *, as_json: bool) -> None:
    """Repeat until it is cancelled: a live table on a terminal, else a line for each move."""
    async with connected(settings) as pool:
        views = Views(pool)
        filters = await filters.checked(views)
        if as_json or not sys.stdout.isatty():
            await _print_moves(views, filters, as_json=as_json)
        with Live(console=console(), auto_refresh=False) as live:
            while True:
                found = await filters.find(views)
                live.update(terminal_table(found, now(), live.console.width), refresh=True)
                await asyncio.sleep(_POLL_INTERVAL)


async def _print_moves(views: Views, filters: JobFilters, *, as_json: bool) -> None:
    seen: dict[UUID, tuple[int, str | None]] = {}
    while True:
        found = await filters.find(views)
        for one in sorted(found, key=lambda job: job.updated_at):
            if seen.get(one.job_id) != (one.version, one.leased_by):
                _print_job(one, as_json=as_json)
        seen = {one.job_id: (one.version, one.leased_by) for one in found}
        await asyncio.sleep(_POLL_INTERVAL)


def _print_job(one: JobOverview, *, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    job_id, filename, status, attempt, _, moved, remark = map(str, job_row(one))
    line = f"{moved}  {job_id}  {status:<12}  {attempt:>5}  {printable(filename)}  {remark}"
    sys.stdout.write(f"{line.rstrip()}\n")
    sys.stdout.flush()
