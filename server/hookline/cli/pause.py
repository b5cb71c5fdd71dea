"""`hookline pause`: let no worker claim the jobs of a status for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from hookline.cli.completion import complete_stages
from hookline.cli.formats import printable, timestamp
from hookline.cli.job_filters import require_status
from hookline.cli.output import print_json, print_line
from hookline.cli.times import span_of
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import Status, Views
from hookline.settings import Settings, load

__all__ = ["Reason", "Stage", "pause"]

# The longest that pause_stage takes.
_LONGEST = timedelta(days=31)
Stage = Annotated[
    str,
    typer.Argument(
        metavar="STAGE",
        help="The status of the jobs, such as uploaded.",
        autocompletion=complete_stages,
    ),
]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept with your login role.")]


def pause(
    stage: Stage,
    reason: Annotated[str, typer.Option(help="Why; `hookline jobs` and `doctor` show it.")],
    span: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="SPAN",
            help="How long: 90s, 30m, 12h or 7d. Without it, until `hookline resume`, at most 31"
            " days.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let no worker claim the jobs of a status. Jobs that are claimed already go on.

    Webhooks are still taken. If the stage is paused already, the later end counts. The command
    needs a login role in hookline_operator, whose name is kept with the reason.

    Example: hookline pause uploaded --for 2h --reason "the parser's key is being replaced"
    """
    length = _LONGEST if span is None else span_of("--for", span)
    paused = asyncio.run(_pause(load(), stage, length, reason))
    if as_json:
        print_json(
            {
                "status": paused.status,
                "paused_until": paused.paused_until,
                "paused_because": paused.paused_because,
                "paused_by": paused.paused_by,
            }
        )
    else:
        print_line(
            f"{paused.status} is paused by {paused.paused_by} until"
            f" {timestamp(paused.paused_until)}: {printable(paused.paused_because or '')}"
        )


async def _pause(settings: Settings, stage: str, length: timedelta, reason: str) -> Status:
    async with connected(settings) as pool:
        views = Views(pool)
        await require_status(views, stage)
        await Engine(pool).pause_stage(stage, length, reason)
        return next(one for one in await views.statuses() if one.status == stage)
