"""`hookline group`: how many jobs of a group are done, and closing it."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.output import print_json, print_line
from hookline.doctor.check import count
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import GroupStatus, Views
from hookline.settings import Settings, load

__all__ = ["group"]


def group(
    group_id: Annotated[
        UUID, typer.Argument(metavar="ID", help="The id that the jobs were submitted with.")
    ],
    close: Annotated[
        bool,
        typer.Option("--close", help="Let no more jobs join it; tell the application its end."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how the jobs of a group stand.

    A group begins with the first job that names it (`hookline submit --group`). Close it when it
    has all its jobs: the application is told once when none of them is unfinished. --close needs a
    login role in hookline_operator.

    Example: hookline group 7d1f1c1e-8a52-4f0e-9c39-0e6b3f2f6a11 --close
    """
    found = asyncio.run(_find(load(), group_id, close))
    if as_json:
        print_json(found)
    else:
        print_line(
            f"{'open' if found.closed_at is None else 'ended' if found.ended else 'closed'}:"
            f" {count(found.total, 'job')}, {found.unfinished} unfinished, {found.complete}"
            f" complete, {found.failed} failed, {found.cancelled} cancelled."
        )


async def _find(settings: Settings, group_id: UUID, close: bool) -> GroupStatus:
    async with connected(settings) as pool:
        if close:
            await Engine(pool).close_group(group_id)
        found = await Views(pool).group(group_id)
    if found is None:
        raise WrongUsage(f"There is no group {group_id}: `hookline job` shows the group of a job.")
    return found
