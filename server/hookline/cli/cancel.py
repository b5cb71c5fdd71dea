"""`hookline cancel`: end jobs that nobody wants any more."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from hookline.cli.completion import complete_jobs
from hookline.cli.exit_codes import FAILED, explain
from hookline.cli.ids import find_job
from hookline.cli.output import say
from hookline.cli.receipts import print_receipts
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.errors import DatabaseError, Unavailable
from hookline.postgres.records import Receipt
from hookline.postgres.views import Views
from hookline.settings import Settings, load

__all__ = ["cancel"]


def cancel(
    job_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="ID",
            help="The ids of jobs, or their first digits.",
            autocompletion=complete_jobs,
        ),
    ],
    reason: Annotated[
        str | None, typer.Option(help="The reason; it is written to the job's timeline.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each job cancelled.")
    ] = False,
) -> None:
    """End jobs: no worker works on them any more, and a late result changes nothing.

    A job that cannot be cancelled is named on standard error, the others are cancelled, and the
    exit code is then 1. `hookline retry` brings a cancelled job back where that is possible. The
    command needs a login role in hookline_operator.

    Example: hookline cancel 0193a1b2-5c3d --reason "uploaded by mistake"
    """
    cancelled: list[Receipt] = []
    refused: list[str] = []
    try:
        asyncio.run(_cancel_all(load(), job_ids, reason, cancelled, refused))
    finally:
        # Also after Ctrl-C, or if Postgres goes away: some jobs are cancelled by then.
        print_receipts(cancelled, as_json=as_json)
        for sentence in refused:
            say(f"hookline: {sentence}")
    if refused:
        raise typer.Exit(FAILED)


async def _cancel_all(
    settings: Settings,
    named: list[str],
    reason: str | None,
    cancelled: list[Receipt],
    refused: list[str],
) -> None:
    """Find every id before any job is cancelled. Raises Unavailable, WrongUsage, UnknownJob."""
    async with connected(settings) as pool:
        views, engine = Views(pool), Engine(pool)
        # Keyed by id: a job that is named twice is cancelled once.
        jobs = {job.job_id: job for job in [await find_job(views, text) for text in named]}
        for job_id in jobs:
            try:
                cancelled.append(await engine.cancel_job(job_id, reason))
            except Unavailable:
                raise
            except DatabaseError as error:
                known = explain(error)
                refused.append(known[1] if known else str(error))
