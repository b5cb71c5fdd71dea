"""`hookline resume`: end the pause of a stage."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from hookline.cli.job_filters import require_status
from hookline.cli.output import print_json, print_line
from hookline.cli.pause import Reason, Stage
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import Views
from hookline.settings import Settings, load

__all__ = ["resume"]


def resume(
    stage: Stage,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """End the pause of a stage: workers claim its jobs again.

    The command needs a login role in hookline_operator, whose name is kept with the reason.

    Example: hookline resume uploaded
    """
    resumed = asyncio.run(_resume(load(), stage, reason))
    if as_json:
        print_json({"status": stage, "resumed": resumed})
    else:
        print_line(f"{stage} {'goes on' if resumed else 'was not paused'}.")


async def _resume(settings: Settings, stage: str, reason: str | None) -> bool:
    async with connected(settings) as pool:
        await require_status(Views(pool), stage)
        return await Engine(pool).resume_stage(stage, reason)
