"""`hookline jobs` and `hookline job`: where jobs are, and how one came there."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from hookline.cli.exits import WrongUsage
from hookline.cli.output import (
    console,
    duration,
    print_json,
    print_table,
    printable,
    say,
    summary,
    timestamp,
)
from hookline.database import UnknownJob
from hookline.settings import Settings, load
from hookline.views import Event, Job, Views, connected

__all__ = ["Id", "find_job", "job", "jobs"]

# Of ids with the same beginning.
_SHOWN = 5
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
_STYLES = {"error": "red", "warn": "yellow", "info": ""}

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="A job's id, or its beginning: at least 4 hex digits."),
]


def jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this status.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only the dead letters.")] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only jobs that are past their deadline.")
    ] = False,
    owner: Annotated[UUID | None, typer.Option(help="Only jobs of this owner's documents.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object a line: a row of job_overview.")
    ] = False,
) -> None:
    """List jobs, the newest first.

    Example: hookline jobs --failed --json | jq -r .job_id
    """
    found = asyncio.run(_find_jobs(load(), status, failed, overdue, owner, limit))
    if as_json:
        for one in found:
            print_json(one)
        return
    if not found:
        say("No such jobs.")
        return
    columns = ["job", "file", "status", ">attempt", "created (UTC)", "moved (UTC)", "remark"]
    print_table(columns, map(_job_row, found))
    if len(found) == limit:
        say(f"These are the newest {limit}: --limit shows more.")


def job(
    job_id: Id,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the job, with its timeline.")
    ] = False,
) -> None:
    """Show a job and its timeline: every step, when, how long after the one before, and why.

    Example: hookline job 0193a1b2-5c3d-7e4f-8a9b-0c1d2e3f4a5b
    """
    found, timeline = asyncio.run(_find_timeline(load(), job_id))
    if as_json:
        print_json({**asdict(found), "timeline": [asdict(event) for event in timeline]})
        return
    _print_overview(found)
    console().print()
    columns = [">#", "time (UTC)", ">after", "step", "type", "severity", "code", "payload"]
    print_table(columns, map(_event_row, timeline))


async def find_job(views: Views, text: str) -> Job:
    """The one job whose id is `text` or starts with it. Raises WrongUsage, UnknownJob."""
    digits = text.strip().lower().replace("-", "")
    if not _PREFIX.fullmatch(digits):
        raise WrongUsage(
            f"{printable(text)} is no job id: give at least its first 4 hex digits, as"
            " `hookline jobs` shows them."
        )
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found = await views.jobs_between(first, last, limit=_SHOWN + 1)
    if not found:
        raise UnknownJob(
            f"no job's id is or starts with {text}", hint="See `hookline jobs` for those there are."
        )
    if len(found) > 1:
        raise WrongUsage(
            f"{text} is the beginning of more than one job id: give"
            f" {', '.join(_choices(found)[:_SHOWN])}"
            f"{', or more of another' if len(found) > _SHOWN else ''}."
        )
    return found[0]


def _choices(found: list[Job]) -> list[str]:
    """The shortest beginning that only this one has, and its file, of jobs in order of their ids.

    Ids begin with the time, so that jobs of one second share most of what people look at first.
    """
    ids = [str(one.job_id) for one in found]
    shared = [
        next(place for place, pair in enumerate(zip(*both, strict=True)) if pair[0] != pair[1])
        for both in itertools.pairwise(ids)
    ]
    return [
        f"{text[: max(before, after) + 1]} for {printable(one.filename)}"
        for one, text, before, after in zip(found, ids, [0, *shared], [*shared, 0], strict=True)
    ]


async def _find_jobs(
    settings: Settings,
    status: str | None,
    failed: bool,
    overdue: bool,
    owner: UUID | None,
    limit: int,
) -> list[Job]:
    async with connected(settings) as pool:
        views = Views(pool)
        found = await views.jobs(
            status=status, failed=failed, overdue=overdue, owner_id=owner, limit=limit
        )
        if not found and status is not None:
            known = [one.status for one in await views.statuses()]
            if status not in known:
                raise WrongUsage(
                    f"{printable(status)} is not a status: there are {', '.join(known)}."
                )
        return found


async def _find_timeline(settings: Settings, text: str) -> tuple[Job, list[Event]]:
    async with connected(settings) as pool:
        views = Views(pool)
        found = await find_job(views, text)
        return found, await views.timeline(found.job_id)


def _job_row(one: Job) -> list[str | Text]:
    return [
        str(one.job_id),
        one.filename,
        Text(one.status, style="red" if one.failed else ""),
        f"{one.attempt}/{one.max_attempts}",
        timestamp(one.created_at).removesuffix("Z"),
        timestamp(one.updated_at).removesuffix("Z"),
        _remark(one),
    ]


def _remark(one: Job) -> Text:
    if one.failed:
        error = one.last_error or {}
        return Text(printable(f"{error.get('code', '')}: {error.get('error', '')}"), style="red")
    if one.overdue:
        return Text("overdue", style="yellow")
    if one.leased_by is not None:
        return Text(printable(f"leased by {one.leased_by}"))
    return Text("" if one.upload_confirmed else "waits for its upload")


def _event_row(event: Event) -> list[str | Text]:
    origin = event.from_status or ""
    if origin == event.to_status:
        step = f"{origin} (stays)"
    else:
        step = f"{origin} -> {event.to_status}".strip()
    return [
        str(event.version),
        f"{event.ts:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        duration(event.after_the_last),
        step,
        event.type,
        Text(event.severity, style=_STYLES[event.severity]),
        event.code,
        summary(event.payload),
    ]


def _print_overview(one: Job) -> None:
    status = one.status + (" (overdue)" if one.overdue else "")
    rows = {
        "job": str(one.job_id),
        "document": str(one.document_id),
        "owner": str(one.owner_id),
        "file": one.filename,
        "status": status,
        "attempt": f"{one.attempt} of {one.max_attempts}",
        "created": timestamp(one.created_at),
        "updated": timestamp(one.updated_at),
        "deadline": timestamp(one.deadline_at),
        "leased by": f"{one.leased_by} until {timestamp(one.leased_until)}"
        if one.leased_by
        else "",
        "content": f"{one.parsed_path} ({one.parsed_bytes:,} bytes)" if one.parsed_path else "",
        "last error": summary(one.last_error or {}, at_most=None),
        "correlation": one.correlation_id,
    }
    for name, value in rows.items():
        if value:
            console().print(Text.assemble((f"{name:<12}", "bold"), printable(value)))
