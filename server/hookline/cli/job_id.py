"""The argument ID of a command: the id of a job, or its first digits."""

from __future__ import annotations

import itertools
import re
from typing import Annotated
from uuid import UUID

import typer

from hookline.cli.exit_codes import WrongUsage
from hookline.cli.formats import printable
from hookline.postgres.errors import UnknownJob
from hookline.postgres.views import JobOverview, Views

__all__ = ["Id", "find_job"]

# How many jobs an error names whose ids begin alike.
_SHOWN = 5
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The id of a job, or its first digits: at least 4 hex digits."
    ),
]


async def find_job(views: Views, text: str) -> JobOverview:
    """The one job whose id is `text` or starts with it. Raises WrongUsage, UnknownJob."""
    digits = text.strip().lower().replace("-", "")
    if not _PREFIX.fullmatch(digits):
        raise WrongUsage(
            f"{printable(text)} is not a job id: give at least the first 4 hex digits of an id that"
            " `hookline jobs` shows."
        )
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found = await views.jobs_between(first, last, limit=_SHOWN + 1)
    if not found:
        raise UnknownJob(
            f"no job has an id that is or begins with {text}", hint="`hookline jobs` lists the ids."
        )
    if len(found) > 1:
        raise WrongUsage(
            f"{text} is the beginning of more than one job id. Give"
            f" {', '.join(_choices(found)[:_SHOWN])}"
            f"{', or more digits of another one' if len(found) > _SHOWN else ''}."
        )
    return found[0]


def _choices(found: list[JobOverview]) -> list[str]:
    """For each job: the shortest beginning that no other one has, and its file.

    `found` is in the order of the ids. An id begins with the time, so jobs of the same second
    share most of the digits that people read first.
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
