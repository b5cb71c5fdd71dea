"""`hookline deliveries`: list deliveries that were received, or those that were refused."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer

from hookline.cli.completion import complete_jobs, complete_outcomes, complete_sources
from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import timestamp
from hookline.cli.ids import find_job
from hookline.cli.job_table import ids_to_show
from hookline.cli.output import console, print_json, print_rows, say
from hookline.cli.times import moment_of
from hookline.postgres.connecting import connected
from hookline.postgres.views import Delivery, RefusedMinute, Views
from hookline.settings import Settings, load

__all__ = ["deliveries"]

# A terminal of at least this width shows how often a delivery came.
_SHOWS_TIMES = 72


def deliveries(
    refused: Annotated[
        bool,
        typer.Option(
            "--refused", help="List refused deliveries instead, by minute, source and reason."
        ),
    ] = False,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="List only deliveries for this job.",
            autocompletion=complete_jobs,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="List only deliveries of this source.", autocompletion=complete_sources),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(
            help="List only deliveries with this outcome, such as parked.",
            autocompletion=complete_outcomes,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="List only what came since then: 90s, 30m, 12h or 7d ago, or a date and time, in"
            " UTC.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="List at most so many.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each row.")
    ] = False,
) -> None:
    """List the deliveries that were received, the newest first, and what each one did.

    With --refused it lists how many were refused in each minute, and the likely cause.

    Example: hookline deliveries --job 0193a1b2-5c3d
    """
    if refused and (job is not None or outcome is not None):
        raise WrongUsage(
            "A refused delivery has no job and no outcome: leave out --job and --outcome."
        )
    begin = moment_of("--since", since) if since is not None else None
    if refused:
        minutes = asyncio.run(_find_refused(load(), source, begin, limit))
        _print_refused(minutes, as_json)
        found = len(minutes)
    else:
        came = asyncio.run(_find(load(), job, source, outcome, begin, limit))
        _print_deliveries(came, as_json)
        found = len(came)
    if as_json:
        return
    if not found:
        say("No such deliveries.")
    elif found == limit:
        say(f"These are the newest {limit}: --limit lists more.")


async def _find(
    settings: Settings,
    job: str | None,
    source: str | None,
    outcome: str | None,
    since: datetime | None,
    limit: int,
) -> list[Delivery]:
    async with connected(settings) as pool:
        views = Views(pool)
        job_id = None if job is None else (await find_job(views, job)).job_id
        return await views.deliveries(
            job_id=job_id, source=source, outcome=outcome, since=since, limit=limit
        )


async def _find_refused(
    settings: Settings, source: str | None, since: datetime | None, limit: int
) -> list[RefusedMinute]:
    async with connected(settings) as pool:
        return await Views(pool).refused(source=source, since=since, limit=limit)


def _print_deliveries(found: list[Delivery], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
    elif found:
        shown = iter(ids_to_show([one.job_id for one in found if one.job_id is not None]))
        screen = console()
        wide = not screen.is_terminal or screen.width >= _SHOWS_TIMES
        print_rows(
            ["seen (UTC)", "source", "outcome", "job", *([">times"] if wide else []), "event"],
            [
                [
                    _moment(one.first_seen),
                    one.source,
                    one.outcome,
                    "" if one.job_id is None else next(shown),
                    *([f"{one.times_seen:,}"] if wide else []),
                    one.event_type,
                ]
                for one in found
            ],
        )


def _moment(time: datetime) -> str:
    """A time: complete in a file or a pipe, without the year on a terminal."""
    whole = timestamp(time).removesuffix("Z")
    return whole[5:] if console().is_terminal else whole


def _print_refused(found: list[RefusedMinute], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
    elif found:
        print_rows(
            ["minute (UTC)", "source", "reason", ">times", "sender", "likely cause"],
            [
                (
                    f"{one.minute:%Y-%m-%d %H:%M}",
                    one.source,
                    one.reason,
                    f"{one.count:,}",
                    one.user_agent or "",
                    one.likely_cause or "",
                )
                for one in found
            ],
            cut=["sender"],
        )
