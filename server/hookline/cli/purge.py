"""`hookline purge`: delete what is old, batch by batch."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

import typer

from hookline.cli.confirmation import confirm
from hookline.cli.output import errors, print_json, print_line
from hookline.cli.pause import Reason
from hookline.cli.times import span_of
from hookline.doctor.check import count
from hookline.postgres.connecting import connected
from hookline.postgres.engine import Engine
from hookline.settings import Settings, load

__all__ = ["purge"]


@dataclass(slots=True)
class _Purged:
    jobs: int = 0
    documents: int = 0
    deliveries: int = 0

    def __str__(self) -> str:
        return (
            f"{count(self.jobs, 'job')}, {count(self.documents, 'document')} without an upload,"
            f" {count(self.deliveries, 'delivery', 'deliveries')} without a job"
        )


def purge(
    older_than: Annotated[
        str,
        typer.Option(metavar="AGE", help="Delete what has not moved for so long, such as 90d."),
    ],
    batch: Annotated[
        int, typer.Option(min=1, max=100_000, help="Rows of each kind in one transaction.")
    ] = 1000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would be deleted.")
    ] = False,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with what was deleted.")
    ] = False,
) -> None:
    """Delete finished jobs that are old, with their histories and deliveries.

    Also what never became a job: uploads that nobody confirmed, and deliveries that found no job.
    Other documents and the objects in storage stay: `hookline erase` deletes those.

    First it counts. It deletes in batches, each of which is one transaction. Ctrl-C ends it between
    two batches or undoes the one under way, and the same command goes on later. The command needs
    a login role in hookline_operator.

    Example: hookline purge --older-than 90d --dry-run
    """
    age = span_of("--older-than", older_than)
    purged = _Purged()
    begun = False
    settings = load()
    try:
        due = asyncio.run(_count(settings, age))
        if not dry_run:
            confirm(f"This deletes {due}, for good.", "purge", yes=yes)
            begun = True
            asyncio.run(_purge(settings, age, batch, purged, due, reason))
    finally:
        # Also after Ctrl-C, or if Postgres goes away: some batches are deleted.
        if begun:
            _print(purged, "Deleted", as_json)
    if dry_run:
        _print(due, "Would be deleted", as_json)


async def _count(settings: Settings, age: timedelta) -> _Purged:
    screen = errors()
    async with connected(settings) as pool:
        if not screen.is_terminal:
            return _Purged(*await Engine(pool).purge(age, dry_run=True))
        with screen.status("Counting"):
            return _Purged(*await Engine(pool).purge(age, dry_run=True))


async def _purge(
    settings: Settings,
    age: timedelta,
    batch: int,
    purged: _Purged,
    due: _Purged,
    reason: str | None,
) -> None:
    """Add up in `purged` what each batch deleted, until there is nothing left."""
    screen = errors()
    async with connected(settings) as pool:
        engine = Engine(pool)
        status = screen.status("Deleting") if screen.is_terminal else None
        if status:
            status.start()
        try:
            while any(gone := await engine.purge(age, batch=batch, reason=reason)):
                purged.jobs += gone[0]
                purged.documents += gone[1]
                purged.deliveries += gone[2]
                if status:
                    status.update(f"Deleted {purged.jobs:,} of {count(due.jobs, 'job')}")
        finally:
            if status:
                status.stop()


def _print(purged: _Purged, verb: str, as_json: bool) -> None:
    if as_json:
        print_json(asdict(purged))
    else:
        print_line(f"{verb}: {purged}.")
