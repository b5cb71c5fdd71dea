"""The argument ID of a command: a job by its id, or by the beginning of it."""

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

# Of ids with the same beginning.
_SHOWN = 5
_PREFIX = re.compile(r"[0-9a-f]{4,32}")
Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="A job's id, or its beginning: at least 4 hex digits."),
]


async def find_job(views: Views, text: str) -> JobOverview:
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


def _choices(found: list[JobOverview]) -> list[str]:
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
