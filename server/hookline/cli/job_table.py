"""Jobs as rows of a table: whole values for a file or a pipe, one line a job on a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from rich.table import Table
from rich.text import Text

from hookline.cli.formats import duration, printable, timestamp
from hookline.cli.output import console, fitted_table
from hookline.postgres.views import JobOverview

__all__ = ["JOB_COLUMNS", "ids_to_show", "job_row", "short_ids", "terminal_table"]

JOB_COLUMNS = ("job", "file", "status", ">attempt", "created (UTC)", "moved (UTC)", "remark")

# Digits of a short id: those of the time, to the millisecond.
_SHORTEST_ID = 13
# A terminal of at least this width shows when a job was created, and when it moved.
_SHOWS_CREATED = 100
_SHOWS_MOVED = 72


def job_row(one: JobOverview) -> list[str | Text]:
    """The cells under JOB_COLUMNS."""
    return [
        str(one.job_id),
        one.filename,
        _status(one),
        f"{one.attempt}/{one.max_attempts}",
        timestamp(one.created_at).removesuffix("Z"),
        timestamp(one.updated_at).removesuffix("Z"),
        _remark(one),
    ]


def terminal_table(jobs: Sequence[JobOverview], now: datetime, width: int) -> Table:
    """The jobs in `width` columns, one line each: short ids, times as how long ago, cut texts."""
    created, moved = width >= _SHOWS_CREATED, width >= _SHOWS_MOVED
    rows: list[list[str | Text]] = [
        [
            short,
            one.filename,
            _status(one),
            *([duration(now - one.created_at)] if created else []),
            *([duration(now - one.updated_at)] if moved else []),
            Text(f"attempt {one.attempt}/{one.max_attempts} " if one.attempt > 1 else "")
            + _remark(one),
        ]
        for short, one in zip(short_ids([one.job_id for one in jobs]), jobs, strict=True)
    ]
    times = [*([">created"] if created else []), *([">moved"] if moved else [])]
    columns = ["job", "file", "status", *times, "remark"]
    return fitted_table(columns, rows, width, at_most={"file": width // 5})


def short_ids(ids: Sequence[UUID]) -> list[str]:
    """The shortest beginning of each id that no other of these ids has."""
    ordered = sorted(map(str, ids))
    needed = dict.fromkeys(ordered, _SHORTEST_ID)
    for one, other in itertools.pairwise(ordered):
        same = next((n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), 0)
        needed[one] = max(needed[one], same + 1)
        needed[other] = max(needed[other], same + 1)
    return [text[: needed[text]] for text in map(str, ids)]


def ids_to_show(ids: Sequence[UUID]) -> list[str]:
    """Short ids on a terminal, whole ones in a file or a pipe."""
    return short_ids(ids) if console().is_terminal else [str(one) for one in ids]


def _status(one: JobOverview) -> Text:
    return Text(one.status, style="red" if one.failed else "")


def _remark(one: JobOverview) -> Text:
    """Why the job failed, or why it waits and what went wrong before."""
    error = one.last_error or {}
    told = f"{error.get('code', '')}: {error.get('error', '')}"
    if one.failed:
        return Text(printable(told), style="red")
    if one.terminal or one.last_error is None:
        return Text(printable(one.waits_because or ""), style="yellow" if one.overdue else "")
    return Text(printable(f"{one.waits_because}; {told}"), style="yellow")
