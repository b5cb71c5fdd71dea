"""`hookline notifications`: what the application was told, and sending it again."""

from __future__ import annotations

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.completion import complete_jobs
from hookline.cli.exit_codes import FAILED, WrongUsage
from hookline.cli.formats import timestamp
from hookline.cli.ids import find_job
from hookline.cli.job_table import ids_to_show
from hookline.cli.output import print_json, print_rows, say
from hookline.cli.pause import Reason
from hookline.doctor.check import count
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.postgres.views import NotificationOverview, Views
from hookline.settings import Settings, load

__all__ = ["notifications"]


def notifications(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="With --retry: the ids (webhook-id) of notifications."),
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="List only notifications about this job.",
            autocompletion=complete_jobs,
        ),
    ] = None,
    dead: Annotated[
        bool, typer.Option("--dead", help="List only those that were given up.")
    ] = False,
    retry: Annotated[
        bool,
        typer.Option(
            "--retry",
            help="Send these again; without an ID, all that were given up or wait for a try.",
        ),
    ] = False,
    stop: Annotated[
        bool,
        typer.Option(
            "--stop", help="Write no more, until a worker with HOOKLINE_NOTIFY_URL starts."
        ),
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="With --stop: delete what was not taken.")
    ] = False,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="List at most so many.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each row.")
    ] = False,
) -> None:
    """List what the application was told of jobs and groups, the newest first.

    A notification waits, is taken, or is dead: after a day of failed tries. --retry and --stop need
    a login role in hookline_operator.

    Example: hookline notifications --dead
    """
    if (retry and stop) or (ids and not retry) or (discard and not stop):
        raise WrongUsage("Give ids with --retry, --discard with --stop, and --retry or --stop.")
    if reason is not None and not (retry or stop):
        raise WrongUsage("--reason is for --retry and --stop.")
    if (retry or stop) and (job is not None or dead):
        raise WrongUsage("--job and --dead choose what is listed: leave them out.")
    if stop:
        deleted = asyncio.run(_stop(load(), discard, reason))
        say(f"Announcements are off. {count(deleted, 'notification')} deleted.")
    elif retry:
        known = [_id_of(text) for text in ids or []]
        again, left = asyncio.run(_retry(load(), known, reason))
        say(f"{count(again, 'notification')} will be sent again.")
        for event_id in left:
            say(f"hookline: {event_id} is not known, or is being sent now.")
        if left:
            raise typer.Exit(FAILED)
    else:
        found = asyncio.run(_find(load(), job, dead, limit))
        _print(found, as_json)
        if not as_json and not found:
            say("No such notifications.")
        elif not as_json and len(found) == limit:
            say(f"These are the newest {limit}: --limit lists more.")


def _id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise WrongUsage(
            f"{text} is not the id of a notification: `hookline notifications` shows them."
        ) from None


async def _stop(settings: Settings, discard: bool, reason: str | None) -> int:
    async with connected(settings) as pool:
        return await Engine(pool).stop_announcing(discard=discard, reason=reason)


async def _retry(settings: Settings, ids: list[UUID], reason: str | None) -> tuple[int, list[UUID]]:
    """How many are sent again, and which are not."""
    async with connected(settings) as pool:
        engine = Engine(pool)
        if not ids:
            return await engine.retry_notifications(reason=reason), []
        left = [
            one for one in dict.fromkeys(ids) if not await engine.retry_notifications(one, reason)
        ]
        return len(set(ids)) - len(left), left


async def _find(
    settings: Settings, job: str | None, dead: bool, limit: int
) -> list[NotificationOverview]:
    async with connected(settings) as pool:
        views = Views(pool)
        job_id = None if job is None else (await find_job(views, job)).job_id
        return await views.notifications(job_id=job_id, dead=dead, limit=limit)


def _print(found: list[NotificationOverview], as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
    elif found:
        shown = _subjects(found)
        print_rows(
            ["id", "step (UTC)", "job", "status", "state", ">tries", "last error"],
            [
                (
                    str(one.event_id),
                    timestamp(one.occurred_at).removesuffix("Z"),
                    subject,
                    one.status or "ended",
                    one.state,
                    f"{one.tries}",
                    one.error or "",
                )
                for subject, one in zip(shown, found, strict=True)
            ],
        )


def _subjects(found: list[NotificationOverview]) -> list[str]:
    """The job or the group that each is about."""
    jobs = iter(ids_to_show([one.job_id for one in found if one.job_id is not None]))
    return [next(jobs) if one.job_id is not None else f"group {one.group_id}" for one in found]
