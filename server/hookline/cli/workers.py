"""`hookline workers`: which processes are connected, and what each worker holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from hookline.cli.formats import duration
from hookline.cli.output import print_json, print_rows, say
from hookline.postgres.connecting import connected
from hookline.postgres.views import ProcessOverview, Views
from hookline.settings import Settings, load
from hookline.timing import now

__all__ = ["workers"]


def workers(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each row.")
    ] = False,
) -> None:
    """List the workers, receivers and dashboards that are connected, and the jobs workers hold.

    A worker with 0 connections holds jobs, but is gone, or is connected through a pooler.

    Example: hookline workers
    """
    found = asyncio.run(_find(load()))
    if as_json:
        for one in found:
            print_json(one)
        return
    if found:
        _print(found)
    if not any(one.role == "worker" for one in found):
        say("No worker is connected, and none holds a job.")


async def _find(settings: Settings) -> list[ProcessOverview]:
    async with connected(settings) as pool:
        return await Views(pool).workers()


def _print(found: Sequence[ProcessOverview]) -> None:
    moment = now()
    print_rows(
        ["name", "role", "version", ">runs", ">connections", ">jobs", "first lease ends", "holds"],
        [
            [
                one.worker,
                one.role,
                one.version or "",
                duration(None if one.since is None else moment - one.since),
                f"{one.connections}",
                f"{one.leased:,}",
                _end(one, moment),
                ", ".join(f"{jobs:,} {status}" for status, jobs in sorted(one.statuses.items())),
            ]
            for one in found
        ],
        cut=["name"],
    )


def _end(one: ProcessOverview, moment: datetime) -> str:
    """When the first lease ends, from now: a lease that ended waits for any worker's claim."""
    if one.first_lease_ends is None:
        return ""
    if one.first_lease_ends < moment:
        return f"{duration(moment - one.first_lease_ends)} ago"
    return f"in {duration(one.first_lease_ends - moment)}"
