"""`hookline retry`: another attempt for failed jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import track

from hookline.cli.exits import FAILED, WrongUsage, explain
from hookline.cli.jobs import find_job
from hookline.cli.output import errors, print_json, print_table, say
from hookline.database import DatabaseError, Unavailable
from hookline.engine import Engine, Receipt
from hookline.settings import Settings, load
from hookline.views import Views, connected

__all__ = ["retry"]


def retry(
    job_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Jobs, by id or by the beginning of one."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Retry every failed job.")] = False,
    reason: Annotated[str | None, typer.Option(help="Is written into the job's history.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each job retried.")
    ] = False,
) -> None:
    """Send jobs back for another attempt, at once.

    A job that cannot be retried is told of on standard error, the others are retried; then the
    exit code is 1. Needs a role in hookline_operator.

    Example: hookline retry --failed --reason "the parser is back"
    """
    wanted = job_ids or []
    if bool(wanted) == failed:
        raise WrongUsage("Name the jobs to retry, or give --failed alone for all that failed.")
    retried: list[Receipt] = []
    refused: list[str] = []
    try:
        asyncio.run(_retry_all(load(), wanted, reason, retried, refused))
    finally:
        # What was done before Postgres went away, or Ctrl-C, was done.
        _print(retried, refused, as_json)
    if refused:
        raise typer.Exit(FAILED)
    if failed and not retried:
        say("No job has failed.")


def _print(retried: list[Receipt], refused: list[str], as_json: bool) -> None:
    if as_json:
        for receipt in retried:
            print_json(_of_interest(receipt))
    elif retried:
        rows = [(str(r.job_id), r.status or "", str(r.version)) for r in retried]
        print_table(["job", "status", ">version"], rows)
    for sentence in refused:
        say(f"hookline: {sentence}")


async def _retry_all(
    settings: Settings,
    wanted: list[str],
    reason: str | None,
    retried: list[Receipt],
    refused: list[str],
) -> None:
    """Every id is found before any job is retried; then what happens is added to both lists."""
    async with connected(settings) as pool:
        views, engine = Views(pool), Engine(pool)
        if wanted:
            # Twice the same id would be two attempts.
            ids = list(dict.fromkeys([(await find_job(views, text)).job_id for text in wanted]))
        else:
            ids = [one.job_id for one in await views.failed()]
        for job_id in _with_progress(ids):
            try:
                retried.append(await engine.retry_job(job_id, reason))
            except Unavailable:
                raise
            except DatabaseError as error:
                known = explain(error)
                refused.append(known[1] if known else str(error))


def _with_progress(ids: list[UUID]) -> Iterable[UUID]:
    screen = errors()
    if len(ids) < 20 or not screen.is_terminal:
        return ids
    return track(ids, "Retrying", console=screen, transient=True)


def _of_interest(receipt: Receipt) -> dict[str, object]:
    return {
        "job_id": receipt.job_id,
        "document_id": receipt.document_id,
        "outcome": receipt.outcome,
        "status": receipt.status,
        "version": receipt.version,
        "event_id": receipt.event_id,
    }
