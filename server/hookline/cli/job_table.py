"""Jobs as rows of a table: whole values for a file or a pipe, one line a job on a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table
from rich.text import Text

from hookline.cli.formats import duration, printable, timestamp
from hookline.cli.output import fitted_table
from hookline.postgres.views import JobOverview

__all__ = ["JOB_COLUMNS", "job_row", "short_ids", "terminal_table"]

JOB_COLUMNS = ("job", "file", "status", ">attempt", "created (UTC)", "moved (UTC)", "remark")

# Digits of a short id: those of the time, to the millisecond.
_SHORTEST_ID = 13
_LONGEST_FILE = 24
# Terminals with fewer columns do not show when a job was created.
_WIDE = 100


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
    wide = width >= _WIDE
    rows: list[list[str | Text]] = [
        [
            short,
            one.filename,
            _status(one),
            *([duration(now - one.created_at)] if wide else []),
            duration(now - one.updated_at),
            Text(f"attempt {one.attempt}/{one.max_attempts} " if one.attempt > 1 else "")
            + _remark(one),
        ]
        for short, one in zip(short_ids(jobs), jobs, strict=True)
    ]
    columns = ["job", "file", "status", *([">created"] if wide else []), ">moved", "remark"]
    return fitted_table(columns, rows, width, at_most={"file": _LONGEST_FILE})


def short_ids(jobs: Sequence[JobOverview]) -> list[str]:
    """For each job, as many of the first digits of its id as no other of these jobs has."""
    ordered = sorted(str(one.job_id) for one in jobs)
    needed = dict.fromkeys(ordered, _SHORTEST_ID)
    for one, other in itertools.pairwise(ordered):
        same = next((n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), 0)
        needed[one] = max(needed[one], same + 1)
        needed[other] = max(needed[other], same + 1)
    return [str(one.job_id)[: needed[str(one.job_id)]] for one in jobs]


def _status(one: JobOverview) -> Text:
    return Text(one.status, style="red" if one.failed else "")


def _remark(one: JobOverview) -> Text:
    if one.failed:
        error = one.last_error or {}
        return Text(printable(f"{error.get('code', '')}: {error.get('error', '')}"), style="red")
    if one.overdue:
        return Text("overdue", style="yellow")
    if one.leased_by is not None or not one.upload_confirmed:
        return Text(printable(one.waits_because or ""))
    if one.last_error is not None and not one.terminal:
        error = one.last_error
        text = printable(f"to be tried again, {error.get('code', '')}: {error.get('error', '')}")
        return Text(text, style="yellow")
    return Text("")
